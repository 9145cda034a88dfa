// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// FieldManager is the name under which Usher applies objects outside its own
// API group: whatever carries it in managedFields was made by Usher.
const FieldManager = "usher"

// AccountUserPrefix stands before an Account's name wherever Kubernetes sees
// that person: the Account jane is the user usher:jane.
const AccountUserPrefix = "usher:"

// Finalizer holds back the deletion of an Organization, a Membership or an
// Account until everything that Usher made for it outside the object is gone.
const Finalizer = "accounts.usher.dev/withdraw"

// MembershipsAnnotation is the durable record, on an Account, of the
// Memberships that it took up: "namespace/name" pairs, sorted, separated by
// commas. A status can be lost in a restore; this is what brings it back. Only
// the controller writes it.
const MembershipsAnnotation = "accounts.usher.dev/memberships"

// Labels on every RoleBinding that Usher applies. They say what the binding
// was made for; nothing is ever granted because of them.
const (
	ManagedByLabel           = "app.kubernetes.io/managed-by"
	ManagedByValue           = "usher"
	OrganizationLabel        = "accounts.usher.dev/organization"
	MembershipNamespaceLabel = "accounts.usher.dev/membership-namespace"
	MembershipNameLabel      = "accounts.usher.dev/membership"
	AccountLabel             = "accounts.usher.dev/account"
)

// Condition types that every kind reports, after the kstatus contract.
const (
	// ConditionReady is True when nothing is left for Usher to do for this
	// generation of the object. It never waits for a person: an invitation
	// that the mail server took is Ready while nobody has accepted it yet.
	ConditionReady = "Ready"

	// ConditionReconciling is present, and then True, only while Usher is at
	// work on the object or waits for something that can appear by itself.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is present, and then True, only while Usher cannot go
	// on until somebody changes a manifest or the platform.
	ConditionStalled = "Stalled"
)

// Reasons that several kinds share.
const (
	// ReasonReconciled says that everything asked for has been done.
	ReasonReconciled = "Reconciled"

	// ReasonOrganizationNotFound says that spec.organizationRef names an
	// Organization that does not exist, or that is being deleted.
	ReasonOrganizationNotFound = "OrganizationNotFound"

	// ReasonWrongNamespace says that the object is not in the home namespace
	// of its Organization.
	ReasonWrongNamespace = "WrongNamespace"

	// ReasonRoleNotFound says that the Organization has no role of that name.
	ReasonRoleNotFound = "RoleNotFound"

	// ReasonAwaitingAcceptance says that Usher has done its part and that the
	// next step is the invited person's.
	ReasonAwaitingAcceptance = "AwaitingAcceptance"

	// ReasonAccepted says that the person took the invitation up.
	ReasonAccepted = "Accepted"

	// ReasonNotAccepted says that nobody has taken the invitation up.
	ReasonNotAccepted = "NotAccepted"

	// ReasonExpired says that the invitation's time ran out before anybody
	// took it up.
	ReasonExpired = "Expired"

	// ReasonNotExpired says that the invitation's time has not run out.
	ReasonNotExpired = "NotExpired"

	// ReasonSending says that the invitation has not reached the mail server yet.
	ReasonSending = "Sending"

	// ReasonDeleting says that the object is being deleted and that Usher is
	// taking away what it made for it.
	ReasonDeleting = "Deleting"

	// ReasonError says that a request to the API server failed and is retried.
	ReasonError = "Error"
)

// Whether a CatalogueName or a NamespaceName is well-formed is checked field by
// field, where a name is given. A rule on the type would be counted for every
// place in lists of lists as well, and cost more than the API server allows.

// CatalogueName is the name of a resource, permission or role of an
// Organization: a DNS label.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
type CatalogueName string

// NamespaceName is the name of a namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
type NamespaceName string

// EmailAddress is an address that mail can be sent to, after RFC 5321 section
// 4.1.2 without quoted local parts and address literals.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=254
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9!#$%&\\'*+/=?^_`{|}~-]+([.][a-zA-Z0-9!#$%&\\'*+/=?^_`{|}~-]+)*@([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?[.])+[a-zA-Z]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])$')",message="must be a complete e-mail address such as jane@example.com"
// +kubebuilder:validation:XValidation:rule="self.indexOf('@') <= 64",message="must have at most 64 characters before the @"
type EmailAddress string

// DisplayText is one line of text that people read: a name or a title.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\\\p{Zl}\\\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]')",message="must be one line of plain text, without control characters"
// +kubebuilder:validation:XValidation:rule="self.trim() == self",message="must not start or end with a space"
type DisplayText string

// OrganizationReference names an Organization.
type OrganizationReference struct {
	// name is the name of the Organization.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as acme"
	// +required
	Name CatalogueName `json:"name,omitempty"`
}

// AccountReference names an Account.
type AccountReference struct {
	// name is the name of the Account.
	// +required
	Name AccountName `json:"name,omitempty"`
}
