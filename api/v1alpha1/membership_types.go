// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types of a Membership and of an Invitation, besides Ready,
// Reconciling and Stalled.
//
//	                       Pending   Active   Expired
//	not mailed yet          False    False     False
//	mailed, no answer       True     False     False
//	taken up                False    True      False
//	time ran out            False    False     True
//	declined                False    False     False
const (
	// ConditionPending tells whether an invitation is out and waits for the
	// person's answer.
	//
	// True: AwaitingAcceptance. False: Sending, Accepted, Expired, Declined, and every
	// reason for which Ready can be False.
	ConditionPending = "Pending"

	// ConditionActive tells whether the person took the invitation up, has an
	// account, and belongs to the Organization now. Of an Account: whether it
	// belongs to somebody.
	//
	// True: Accepted. False: NotAccepted, Expired, Declined, NoAccount,
	// AccountDisabled, Suspended, Deleting, and every reason for which Ready can
	// be False, GrantsWithheld and LastOwner excepted.
	ConditionActive = "Active"

	// ConditionExpired tells whether the invitation's time ran out before
	// anybody took it up. It is a person's answer and no failure: Ready stays True.
	//
	// True: Expired. False: NotExpired.
	ConditionExpired = "Expired"

	// ConditionPermissionsApplied tells whether everything that the role and
	// the overrides grant is in force.
	//
	// True: Reconciled. False: NotAccepted, GrantsWithheld, AccountDisabled,
	// Suspended, TwoFactorRequired, Deleting, and every reason for which Ready
	// can be False.
	ConditionPermissionsApplied = "PermissionsApplied"

	// ConditionTwoFactorMissing is present, and then True, only while the
	// Organization wants a second factor that the Account does not have. It
	// waits for the person, so that Ready stays True.
	//
	// True: GracePeriod, while access lasts, and then TwoFactorRequired.
	ConditionTwoFactorMissing = "TwoFactorMissing"

	// ConditionSuspended is present, and then True, only while spec.state is
	// Suspended. Somebody wants it so, and Ready stays True.
	//
	// True: Suspended.
	ConditionSuspended = "Suspended"

	// ConditionLastOwner is present, and then True, only while the Organization
	// has no owner but this one. Until there is another, this one is not
	// removed, does not lose the role, is not suspended, and is not denied what
	// the role grants in the home namespace.
	//
	// True: LastOwner.
	ConditionLastOwner = "LastOwner"
)

// Reasons of a Membership's conditions.
const (
	// ReasonGrantsWithheld says that some grants are not in force;
	// status.grants says which and why.
	ReasonGrantsWithheld = "GrantsWithheld"

	// ReasonNoAccount says that the Invitation was accepted once and that no
	// Account holds the Membership any more: it is gone, or its person left.
	ReasonNoAccount = "NoAccount"

	// ReasonInvitationConflict says that the Invitation of the same name is
	// for another address or role.
	ReasonInvitationConflict = "InvitationConflict"
)

// Reasons of a Membership whose manifest asks for less than there was.
const (
	// ReasonSuspended says that spec.state is Suspended; of an Invitation, that of
	// its Membership.
	ReasonSuspended = "Suspended"

	// ReasonLastOwner says that the Organization would be left without an
	// owner, so that what the manifest asks for waits until there is another.
	ReasonLastOwner = "LastOwner"
)

// Reasons of a Membership that an Account holds and that grants nothing, or
// soon will not.
const (
	// ReasonAccountDisabled says that spec.state of the Account is Disabled.
	ReasonAccountDisabled = "AccountDisabled"

	// ReasonGracePeriod says that access ends unless the person sets up a
	// second factor.
	ReasonGracePeriod = "GracePeriod"

	// ReasonTwoFactorRequired says that nothing is granted before the person
	// has set up a second factor. Of a grant too.
	ReasonTwoFactorRequired = "TwoFactorRequired"
)

// Reasons why one grant is not in force.
const (
	// ReasonPermissionNotFound says that the Organization has no such permission.
	ReasonPermissionNotFound = "PermissionNotFound"

	// ReasonResourceNotFound says that the Organization has no such resource.
	ReasonResourceNotFound = "ResourceNotFound"

	// ReasonNamespaceNotFound says that a namespace that the resource names does
	// not exist.
	ReasonNamespaceNotFound = "NamespaceNotFound"

	// ReasonDenied says that a Deny takes away what the grant would give, in some
	// of its namespaces or everywhere. Somebody wants it so, and Ready stays True.
	ReasonDenied = "Denied"

	// ReasonBindingConflict says that somebody else has a RoleBinding of the
	// same name; Usher never takes it over.
	ReasonBindingConflict = "BindingConflict"

	// ReasonBindingFailed says that the API server refused the RoleBinding.
	ReasonBindingFailed = "BindingFailed"

	// ReasonNotHomeNamespace says that the ClusterRole manages people, and that
	// the resource has other namespaces than the home of the Organization.
	ReasonNotHomeNamespace = "NotHomeNamespace"

	// ReasonGuest says that the ClusterRole manages people, which guests do not.
	ReasonGuest = "Guest"
)

// MembershipSwitch says whether a Membership gives access.
//
// +kubebuilder:validation:Enum=Active;Suspended
type MembershipSwitch string

// The switches of a Membership.
const (
	// MembershipSwitchActive: the person has, or is invited to, what is declared.
	MembershipSwitchActive MembershipSwitch = "Active"
	// MembershipSwitchSuspended: nothing is granted, and no invitation is made.
	MembershipSwitchSuspended MembershipSwitch = "Suspended"
)

// MembershipState is one word for where a Membership stands.
//
// +kubebuilder:validation:Enum=Invited;Active;Inactive;Expired;Declined;Failed
type MembershipState string

// The states of a Membership.
const (
	// MembershipInvited: an invitation is out, or about to be.
	MembershipInvited MembershipState = "Invited"
	// MembershipActive: the person has an account and the declared access.
	MembershipActive MembershipState = "Active"
	// MembershipInactive: nobody is invited and nothing is granted, because
	// the Organization or the Account is not there, the Account is disabled or
	// lacks a second factor, or the Membership is suspended or being deleted.
	MembershipInactive MembershipState = "Inactive"
	// MembershipExpired: nobody took the invitation up in time.
	MembershipExpired MembershipState = "Expired"
	// MembershipDeclined: the person does not want to join.
	MembershipDeclined MembershipState = "Declined"
	// MembershipFailed: a manifest or the platform must change first.
	MembershipFailed MembershipState = "Failed"
)

// Effect says whether an override gives a permission or takes it away.
//
// +kubebuilder:validation:Enum=Allow;Deny
type Effect string

// The effects of an override. Deny wins over every Allow, and over every other
// way to the same ClusterRole in the same namespace, or to the same group.
const (
	EffectAllow Effect = "Allow"
	EffectDeny  Effect = "Deny"
)

// Membership is the wish, and the fact, that one person belongs to an
// Organization with a role. Usher invites the person by mail, through the
// Invitation of the same name, and holds their access true from acceptance to
// the deletion of this object.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=member,categories=usher
// +kubebuilder:selectablefield:JSONPath=".spec.email"
// +kubebuilder:selectablefield:JSONPath=".spec.role"
// +kubebuilder:selectablefield:JSONPath=".status.state"
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Invited, Active, Inactive, Expired, Declined or Failed"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done its part"
// +kubebuilder:printcolumn:name="Email",type="string",JSONPath=".spec.email",description="The address that is invited"
// +kubebuilder:printcolumn:name="Role",type="string",JSONPath=".spec.role",description="The role in the Organization"
// +kubebuilder:printcolumn:name="Account",type="string",JSONPath=".status.accountRef.name",description="The Account that took the Membership up"
// +kubebuilder:printcolumn:name="Given name",type="string",priority=1,JSONPath=".spec.givenName",description="The person's given name"
// +kubebuilder:printcolumn:name="Family name",type="string",priority=1,JSONPath=".spec.familyName",description="The person's family name"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="Why it is, or is not, ready"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Membership was made"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="name must be lower-case letters, digits and dashes, 63 at the most, such as jane-doe",fieldPath=".metadata"
type Membership struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The namespace must be the
	// home namespace of the Organization.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is who belongs to which Organization as what.
	// +required
	Spec MembershipSpec `json:"spec,omitzero"`

	// status is what Usher last saw.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status MembershipStatus `json:"status,omitempty,omitzero"`
}

// MembershipSpec is who belongs to which Organization as what.
type MembershipSpec struct {
	// organizationRef is the Organization. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="organizationRef cannot be changed: delete this Membership and make one in the other Organization"
	// +required
	OrganizationRef OrganizationReference `json:"organizationRef,omitzero"`

	// email is the address that the person is invited at. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="email cannot be changed: make a Membership with the new address and delete this one"
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the person's given name, to propose a user name from and to
	// write in the mail. Unset: not known.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the person's family name. Unset: not known.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// invitedBy is who invites, as the invited person shall read it. Unset:
	// the Organization.
	// +optional
	InvitedBy DisplayText `json:"invitedBy,omitempty"`

	// role is the name of a role of the Organization. It can be changed at any
	// time; access follows.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as developer"
	// +required
	Role CatalogueName `json:"role,omitempty"`

	// state is Active, or Suspended, where nothing is granted until it is Active
	// again, and nobody is invited. An invitation that is out can be accepted,
	// and whoever has a seat keeps it. Unset: Active.
	// +optional
	State MembershipSwitch `json:"state,omitempty"`

	// permissions switches single permissions on or off for this person, on
	// top of the role. Unset: exactly the role. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=permission
	// +listMapKey=effect
	// +optional
	Permissions []PermissionOverride `json:"permissions,omitempty"`

	// What follows holds for invitations that are made after it was written.

	InvitationTerms `json:",inline"`
}

// PermissionOverride switches one permission on or off for one person.
type PermissionOverride struct {
	// effect is Allow, which gives the permission on the resources, or Deny,
	// which takes it away whatever else gives it: the ClusterRole in each
	// namespace of the resources, or the group, by any permission and resource.
	// +required
	Effect Effect `json:"effect,omitempty"`

	// permission is the name of a permission of the Organization.
	// +required
	Permission CatalogueName `json:"permission,omitempty"`

	// resources are the names of resources of the Organization. At least one,
	// at most 64.
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
