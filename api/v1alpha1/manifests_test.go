// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

// Valid manifests, with every field of each kind. The tests change one part of a
// manifest and send it.
const (
	organization = `
apiVersion: accounts.usher.dev/v1alpha1
kind: Organization
metadata:
  name: acme
spec:
  displayName: Acme
  namespace: acme
  invitationValiditySeconds: 3600
  language: it
  addressMatch: AnyAddress
  allowedDomains: [example.com]
  deniedDomains: [pec.example.com]
  qualifier: acme
  seats: 10
  founders:
  - {name: ada-example, email: ada@example.com, givenName: Ada, familyName: Example, role: owner}
  legalEntity: Acme S.p.A.
  supportContact: support@acme.example
  signIn: {maxFailures: 3, twoFactor: Required, twoFactorGraceSeconds: 86400}
  mail: {server: "smtp://usher@mail.example.com:587", sender: Acme <accounts@acme.example>, dkimSelector: usher}
  resources:
  - name: staging
    displayName: Staging
    namespaces: {names: [acme-staging]}
  - name: previews
    displayName: Previews
    namespaces: {selector: {matchLabels: {tier: preview}}}
  permissions:
  - {name: deploy, displayName: Deploy applications, clusterRole: edit}
  - {name: dashboards, displayName: Edit dashboards, group: grafana-editors}
  roles:
  - name: developer
    displayName: Developer
    seat: Counted
    standing: Member
    grants:
    - {permission: deploy, resources: [staging]}
  - {name: owner, seat: Free, standing: Owner}
status:
  conditions:
  - {type: Ready, status: "True", reason: Reconciled, message: All is done., observedGeneration: 1, lastTransitionTime: "2026-01-02T15:04:05Z"}
  observedGeneration: 1
  seats:
    taken: 2
    holders:
    - {name: jane-doe, invitationUID: 6f2f7d2e-5f0a-4b0e-9f0a-0c9d1f0f4a11, attempt: 1}
    - {name: john-roe}
`

	membership = `
apiVersion: accounts.usher.dev/v1alpha1
kind: Membership
metadata:
  name: jane-doe
  namespace: default
spec:
  organizationRef: {name: acme}
  email: jane.doe@example.com
  givenName: Jane
  familyName: Doe
  invitedBy: Ada Example
  role: developer
  permissions:
  - {effect: Allow, permission: dashboards, resources: [staging]}
  language: it
  addressMatch: Strict
  delivery: [Email]
  phoneNumber: "+393331234567"
  message: Welcome to the team.
status:
  conditions:
  - {type: Ready, status: "True", reason: Accepted, message: All is done., observedGeneration: 1, lastTransitionTime: "2026-01-02T15:04:05Z"}
  observedGeneration: 1
  state: Active
  accountRef: {name: jane}
  grants:
  - {permission: deploy, resource: staging, state: InForce, namespaces: [acme-staging]}
  - {permission: dashboards, resource: staging, state: Withheld, group: grafana-editors, reason: ResourceNotFound, message: Add the resource.}
`

	invitation = `
apiVersion: accounts.usher.dev/v1alpha1
kind: Invitation
metadata:
  name: jane-doe
  namespace: default
spec:
  organizationRef: {name: acme}
  email: jane.doe@example.com
  givenName: Jane
  familyName: Doe
  invitedBy: Ada Example
  role: developer
  language: it
  addressMatch: Strict
  delivery: [Email]
  phoneNumber: "+393331234567"
  message: Welcome to the team.
status:
  conditions:
  - {type: Ready, status: "True", reason: Accepted, message: All is done., observedGeneration: 1, lastTransitionTime: "2026-01-02T15:04:05Z"}
  observedGeneration: 1
  state: Active
  expirationTime: "2026-01-09T15:04:05Z"
  attempt:
    number: 2
    keyID: 1
    claimTime: "2026-01-02T15:04:05Z"
    organization: Acme
    role: Developer
    language: it
    sender: Usher <usher@example.com>
    resendRequest: "2026-01-02T15:00:00Z"
    membershipResendRequest: "2026-01-02T15:00:00Z"
    earlier:
    - {number: 1, keyID: 1, claimTime: "2026-01-01T15:04:05Z"}
  deliveries:
  - name: email-2
    purpose: Invitation
    medium: Email
    recipient: jane.doe@example.com
    language: it
    permissions: ["Deploy applications: Staging"]
    messageID: 2.a1b2c3@mail.example.com
    claimTime: "2026-01-02T15:04:05Z"
    tries: 1
    tryTime: "2026-01-02T15:04:05Z"
    holder: usher-0
    result: Sent
    sentTime: "2026-01-02T15:04:06Z"
    message: 451 try again later
  acceptance:
    accountRef: {name: jane, uid: 6f2f7d2e-5f0a-4b0e-9f0a-0c9d1f0f4a11}
    acceptedTime: "2026-01-03T08:00:00Z"
  decline: {declinedTime: "2026-01-03T08:00:00Z", reason: I have another job.}
  otherAddress: {email: jane@example.org, requestTime: "2026-01-03T07:00:00Z", requests: 1}
  guesses: 1
`

	account = `
apiVersion: accounts.usher.dev/v1alpha1
kind: Account
metadata:
  name: jane
spec:
  email: jane.doe@example.com
  givenName: Jane
  familyName: Doe
  invitationRef: {namespace: acme, name: jane-doe, uid: 6f2f7d2e-5f0a-4b0e-9f0a-0c9d1f0f4a11}
  state: Active
status:
  conditions:
  - {type: Ready, status: "True", reason: Reconciled, message: All is done., observedGeneration: 1, lastTransitionTime: "2026-01-02T15:04:05Z"}
  observedGeneration: 1
  state: Active
  signIn:
    failures: 2
    codeFailures: 1
    codeFailureTime: "2026-01-03T07:58:00Z"
    codeLocks: 1
    failureTime: "2026-01-04T08:00:00Z"
    locks: 1
    sessionsEndTime: "2026-01-04T07:00:00Z"
  twoFactor: Enrolled
  passwordTime: "2026-01-03T08:00:00Z"
  secondFactorTime: "2026-01-03T08:00:00Z"
  resetTimes: ["2026-01-03T07:59:00Z", "2026-01-02T15:04:05Z"]
  userNameTimes: ["2026-01-03T07:58:00Z"]
  unlockTimes: ["2026-01-03T07:58:00Z"]
  deviceApprovals:
  - codeHash: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    sessionHash: fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210
    time: "2026-01-04T08:00:00Z"
  language: it
  leaving:
  - {namespace: acme, name: jane-doe}
  deliveries:
  - name: reset-1767427140
    purpose: Reset
    medium: Email
    recipient: jane.doe@example.com
    language: it
    messageID: reset.a1b2c3@mail.example.com
    claimTime: "2026-01-03T07:59:01Z"
    tries: 1
    tryTime: "2026-01-03T07:59:01Z"
    holder: usher-0
    result: Sent
    sentTime: "2026-01-03T07:59:02Z"
    message: 451 try again later
`
)
