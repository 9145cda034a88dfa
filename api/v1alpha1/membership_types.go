// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types of a Membership and of an Invitation, in addition to Ready,
// Reconciling and Stalled.
//
//	                       Pending   Active   Expired
//	not mailed yet          False    False     False
//	mailed, no answer       True     False     False
//	accepted                False    True      False
//	expired                 False    False     True
//	declined                False    False     False
const (
	// ConditionPending reports whether an invitation was sent and the person has
	// not answered yet.
	//
	// True: AwaitingAcceptance. False: Sending, Accepted, Reconciled, Expired,
	// Declined, NoAccount, AccountDisabled, Suspended, TwoFactorRequired, and every
	// other reason for which Ready can be False.
	ConditionPending = "Pending"

	// ConditionActive reports whether the person accepted the invitation, has an
	// Account, and currently belongs to the Organization. On an Account, it
	// reports whether the Account belongs to a person.
	//
	// True: Accepted. False: NotAccepted, Expired, Declined, NoAccount,
	// AccountDisabled, Disabled, Suspended, Deleting, and every other reason for
	// which Ready can be False. Exceptions are GrantsWithheld, LastOwner and
	// RollingOut, with which it is True, and Sending, TemporaryFailure,
	// ResendLimited and QuotaReached, for which the reason is NotAccepted.
	ConditionActive = "Active"

	// ConditionExpired reports whether the invitation expired before the person
	// accepted it. Letting it expire counts as the person's answer, not as a
	// failure, so Ready stays True.
	//
	// True: Expired. False: NotExpired.
	ConditionExpired = "Expired"

	// ConditionPermissionsApplied reports whether everything that the role and the
	// overrides grant is in force.
	//
	// True: Reconciled. False: NotAccepted, Expired, Declined, NoAccount,
	// GrantsWithheld, AccountDisabled, Suspended, TwoFactorRequired, Deleting, and
	// every other reason for which Ready can be False. Exceptions are Sending,
	// TemporaryFailure, ResendLimited and QuotaReached, for which the reason is
	// NotAccepted.
	ConditionPermissionsApplied = "PermissionsApplied"

	// ConditionTwoFactorMissing is present, and then True, only while the
	// Organization requires a second factor that the Account does not have. It
	// waits for the person, so Ready stays True.
	//
	// True: GracePeriod, while access lasts, and then TwoFactorRequired.
	ConditionTwoFactorMissing = "TwoFactorMissing"

	// ConditionSuspended is present, and then True, only while spec.state is
	// Suspended. This is intended, so Ready stays True.
	//
	// True: Suspended.
	ConditionSuspended = "Suspended"

	// ConditionLastOwner is present, and then True, only while this is the only
	// owner of the Organization. Until there is another owner, Usher does not
	// remove or suspend this one, and does not take away the role. It also ignores
	// a Deny of what the role grants in the home namespace.
	//
	// True: LastOwner.
	ConditionLastOwner = "LastOwner"
)

// Reasons of a Membership's conditions.
const (
	// ReasonGrantsWithheld means that some grants are not in force. status.grants
	// says which and why.
	ReasonGrantsWithheld = "GrantsWithheld"

	// ReasonNoAccount means that the Invitation was accepted once, but that no
	// Account holds the Membership any more: the Account was deleted, or the
	// person left.
	ReasonNoAccount = "NoAccount"

	// ReasonInvitationConflict means that the Invitation of the same name is for
	// another address, Organization or role, or allows less.
	ReasonInvitationConflict = "InvitationConflict"
)

// Reasons of a Membership whose manifest asks for less than before.
const (
	// ReasonSuspended means that spec.state is Suspended. On an Invitation, it
	// refers to spec.state of its Membership.
	ReasonSuspended = "Suspended"

	// ReasonLastOwner means that the change in the manifest would leave the
	// Organization without an owner. The change waits until there is another
	// owner.
	ReasonLastOwner = "LastOwner"
)

// Reasons of a Membership that an Account holds, but that grants nothing or
// will soon grant nothing.
const (
	// ReasonAccountDisabled means that spec.state of the Account is Disabled.
	ReasonAccountDisabled = "AccountDisabled"

	// ReasonGracePeriod means that access ends unless the person sets up a second
	// factor.
	ReasonGracePeriod = "GracePeriod"

	// ReasonTwoFactorRequired means that nothing is granted until the person sets
	// up a second factor. Also used for grants.
	ReasonTwoFactorRequired = "TwoFactorRequired"
)

// Reasons why one grant is not in force.
const (
	// ReasonPermissionNotFound means that the Organization has no such permission.
	ReasonPermissionNotFound = "PermissionNotFound"

	// ReasonResourceNotFound means that the Organization has no such resource.
	ReasonResourceNotFound = "ResourceNotFound"

	// ReasonNamespaceNotFound means that a namespace that the resource names does
	// not exist.
	ReasonNamespaceNotFound = "NamespaceNotFound"

	// ReasonDenied means that a Deny overrides the grant, in some of its
	// namespaces or in all. This is intended, so Ready stays True.
	ReasonDenied = "Denied"

	// ReasonBindingConflict means that a RoleBinding of the same name exists that
	// Usher did not create. Usher never adopts it.
	ReasonBindingConflict = "BindingConflict"

	// ReasonOrphanedRoleBinding means that a RoleBinding has a name of Usher's, and
	// that no Membership is behind it. Used for events.
	ReasonOrphanedRoleBinding = "OrphanedRoleBinding"

	// ReasonBindingFailed means that the API server refused the RoleBinding.
	ReasonBindingFailed = "BindingFailed"

	// ReasonNotHomeNamespace means that the ClusterRole manages people, and that
	// the resource has namespaces other than the home namespace of the
	// Organization; or that it would manage the people of another Organization.
	ReasonNotHomeNamespace = "NotHomeNamespace"

	// ReasonGuest means that the ClusterRole manages people, which guests cannot
	// do.
	ReasonGuest = "Guest"

	// ReasonNotGrantedByRole means that the ClusterRole manages people in the home
	// namespace, and that the Organization does not grant it to the role on a
	// resource that names the home namespace. An Allow or a selector is not
	// enough.
	ReasonNotGrantedByRole = "NotGrantedByRole"
)

// MembershipSwitch decides whether a Membership gives access.
//
// +kubebuilder:validation:Enum=Active;Suspended
type MembershipSwitch string

// The values of MembershipSwitch.
const (
	// MembershipSwitchActive means that the person has, or is invited to, what the
	// Membership declares.
	MembershipSwitchActive MembershipSwitch = "Active"
	// MembershipSwitchSuspended means that nothing is granted, and that Usher
	// creates no Invitation.
	MembershipSwitchSuspended MembershipSwitch = "Suspended"
)

// MembershipState summarizes the conditions of a Membership in one word.
//
// +kubebuilder:validation:Enum=Invited;Active;Inactive;Expired;Declined;Failed
type MembershipState string

// The states of a Membership.
const (
	// MembershipInvited means that an invitation was sent or is about to be sent.
	MembershipInvited MembershipState = "Invited"
	// MembershipActive means that the person has an Account and the declared
	// access.
	MembershipActive MembershipState = "Active"
	// MembershipInactive means that Usher sends no invitation and grants nothing.
	// This is the state if the Organization or the Account does not exist, and if
	// the Account is disabled or lacks a required second factor. It is also the
	// state of a Membership that is suspended or being deleted.
	MembershipInactive MembershipState = "Inactive"
	// MembershipExpired means that the invitation expired before the person
	// accepted.
	MembershipExpired MembershipState = "Expired"
	// MembershipDeclined means that the person declined.
	MembershipDeclined MembershipState = "Declined"
	// MembershipFailed means that a manifest or the platform must change first.
	MembershipFailed MembershipState = "Failed"
)

// Effect decides whether an override gives a permission or takes it away.
//
// +kubebuilder:validation:Enum=Allow;Deny
type Effect string

// The effects of an override. Deny overrides every Allow. It also overrides
// every other path to the same ClusterRole in the same namespace, or to the
// same group.
const (
	EffectAllow Effect = "Allow"
	EffectDeny  Effect = "Deny"
)

// Membership declares that one person belongs to an Organization with a role,
// and reports whether they do. Usher invites the person by mail, through the
// Invitation of the same name. From acceptance until this object is deleted,
// Usher keeps the person's access as declared.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=member,categories=usher
// +kubebuilder:selectablefield:JSONPath=".spec.email"
// +kubebuilder:selectablefield:JSONPath=".spec.role"
// +kubebuilder:selectablefield:JSONPath=".status.state"
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Invited, Active, Inactive, Expired, Declined or Failed"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done its part"
// +kubebuilder:printcolumn:name="Email",type="string",JSONPath=".spec.email",description="The invited address"
// +kubebuilder:printcolumn:name="Role",type="string",JSONPath=".spec.role",description="The role in the Organization"
// +kubebuilder:printcolumn:name="Account",type="string",JSONPath=".status.accountRef.name",description="The Account that holds the Membership"
// +kubebuilder:printcolumn:name="Given name",type="string",priority=1,JSONPath=".spec.givenName",description="The person's given name"
// +kubebuilder:printcolumn:name="Family name",type="string",priority=1,JSONPath=".spec.familyName",description="The person's family name"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="The reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Membership was created"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="name must be at most 63 lower-case letters, digits and dashes, such as jane-doe",fieldPath=".metadata"
type Membership struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The namespace must be the home
	// namespace of the Organization.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes who belongs to which Organization, with which role.
	// +required
	Spec MembershipSpec `json:"spec,omitzero"`

	// status is the state that Usher last observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status MembershipStatus `json:"status,omitempty,omitzero"`
}

// MembershipSpec describes who belongs to which Organization, with which role.
type MembershipSpec struct {
	// organizationRef is the Organization. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="organizationRef cannot be changed: delete this Membership and create one in the other Organization"
	// +required
	OrganizationRef OrganizationReference `json:"organizationRef,omitzero"`

	// email is the address at which the person is invited. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="email cannot be changed: create a Membership with the new address and delete this one"
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the person's given name, used in the mail and to propose a user
	// name. Unset: not known.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the person's family name. Unset: not known.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// invitedBy is the name of the inviter, as the invited person reads it. Unset:
	// the Organization.
	// +optional
	InvitedBy DisplayText `json:"invitedBy,omitempty"`

	// role is the name of a role of the Organization. It can be changed at any
	// time; Usher then changes the person's access.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as developer"
	// +required
	Role CatalogueName `json:"role,omitempty"`

	// state is Active or Suspended. While it is Suspended, Usher grants nothing
	// and sends no invitation. An invitation that was already sent can still be
	// accepted, and a member with a seat keeps it. Unset: Active.
	// +optional
	State MembershipSwitch `json:"state,omitempty"`

	// permissions turns single permissions on or off for this person, in addition
	// to the role. Unset: exactly the role. At most 64, with at most 256 resources
	// in all.
	// +kubebuilder:validation:XValidation:rule="self.map(o, size(o.resources)).sum() <= 256",message="permissions can name at most 256 resources in all: use a role, or fewer overrides"
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=permission
	// +listMapKey=effect
	// +optional
	Permissions []PermissionOverride `json:"permissions,omitempty"`

	// The following fields apply to invitations that are created after a change.

	InvitationTerms `json:",inline"`
}

// PermissionOverride turns one permission on or off for one person.
type PermissionOverride struct {
	// effect is Allow or Deny. Allow gives the permission on the resources. Deny
	// takes away its ClusterRole in each namespace of the resources, or its group,
	// even if other permissions or resources also give it.
	// +required
	Effect Effect `json:"effect,omitempty"`

	// permission is the name of a permission of the Organization.
	// +required
	Permission CatalogueName `json:"permission,omitempty"`

	// resources are the names of resources of the Organization. At least one, at
	// most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +required
	Resources []CatalogueName `json:"resources,omitempty"`
}

// MembershipList is a list of Memberships.
//
// +kubebuilder:object:root=true
type MembershipList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Membership `json:"items"`
}
