// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types of an Organization, beyond Ready, Reconciling and Stalled.
const (
	// ConditionNamespaceReady reports whether the home namespace can be used.
	//
	// True: Reconciled. False: NamespaceTaken, NamespaceTerminating.
	ConditionNamespaceReady = "NamespaceReady"

	// ConditionCatalogueValid reports whether everything that the catalogue names
	// exists and can be granted. Usher still grants the valid parts of an invalid
	// catalogue.
	//
	// True: Reconciled. False: UnknownPermission, UnknownResource, UnknownRole,
	// FounderNameTaken, InvalidDomain, InvalidSelector, SystemNamespace,
	// NamespaceExcluded, ClusterRoleNotFound, BindForbidden,
	// ClusterRoleTooPowerful.
	ConditionCatalogueValid = "CatalogueValid"

	// ConditionPoliciesInForce reports whether the ValidatingAdmissionPolicies of
	// Usher's installation exist, unchanged. Without them, any user who can write
	// Memberships could assign every role of the catalogue. So until they are
	// back, Usher makes no new grants of ClusterRoles that manage people.
	//
	// True: Reconciled. False: PoliciesMissing.
	ConditionPoliciesInForce = "PoliciesInForce"

	// ConditionMailValid reports whether the Organization's own mail server,
	// sender, DKIM key and templates can be used. Usher replaces an unusable
	// template with its own, but it never falls back to another mail server.
	//
	// True: Reconciled. False: TemplateInvalid, MailServerInvalid, ChatInvalid.
	ConditionMailValid = "MailValid"

	// ConditionMailHeld is present, and then True, only while Usher holds
	// invitations that were mailed before their status was lost. To send them, set
	// the annotation accounts.usher.dev/releaseMailRequestedAt on the
	// Organization, or request a resend for single invitations.
	//
	// True: MailHeld.
	ConditionMailHeld = "MailHeld"

	// ConditionQuotaReached is present, and then True, only while invitations or
	// codes wait because Usher has sent spec.invitationsPerDay of them within 24
	// hours.
	//
	// True: QuotaReached.
	ConditionQuotaReached = "QuotaReached"
)

// Reasons of an Organization's conditions.
const (
	// ReasonNamespaceTaken means that an older Organization has this home namespace.
	ReasonNamespaceTaken = "NamespaceTaken"

	// ReasonNamespaceTerminating means that the home namespace is being deleted.
	// Usher recreates it after the deletion.
	ReasonNamespaceTerminating = "NamespaceTerminating"

	// ReasonUnknownPermission means that a role grants an undeclared permission.
	ReasonUnknownPermission = "UnknownPermission"

	// ReasonUnknownResource means that a role grants something on an undeclared resource.
	ReasonUnknownResource = "UnknownResource"

	// ReasonInvalidSelector means that a resource's selector cannot be parsed.
	ReasonInvalidSelector = "InvalidSelector"

	// ReasonSystemNamespace means that a resource names a system namespace: one of
	// Kubernetes' own, or Usher's. Usher grants nothing there. Also used for
	// grants.
	ReasonSystemNamespace = "SystemNamespace"

	// ReasonNamespaceExcluded means that a resource names a namespace whose label
	// accounts.usher.dev/grants excludes it from every grant. Also used for
	// grants.
	ReasonNamespaceExcluded = "NamespaceExcluded"

	// ReasonUnknownRole means that the catalogue has no such role for a founder.
	ReasonUnknownRole = "UnknownRole"

	// ReasonFounderNameTaken means that another Membership has the name of a founder,
	// so Usher has not created the founder.
	ReasonFounderNameTaken = "FounderNameTaken"

	// ReasonInvalidDomain means that a domain of an address rule cannot be parsed.
	ReasonInvalidDomain = "InvalidDomain"

	// ReasonTemplateInvalid means that a template of the ConfigMap
	// usher-mail-templates cannot be used. The message says which, where and why.
	ReasonTemplateInvalid = "TemplateInvalid"

	// ReasonMailServerInvalid means that spec.mail, or a part of it in the Secret
	// usher-credentials, cannot be used.
	ReasonMailServerInvalid = "MailServerInvalid"

	// ReasonChatInvalid means that chat-url in the Secret usher-credentials is not
	// the URL of a chat to which Usher can post.
	ReasonChatInvalid = "ChatInvalid"

	// ReasonClusterRoleNotFound means that a permission's ClusterRole does not exist.
	ReasonClusterRoleNotFound = "ClusterRoleNotFound"

	// ReasonClusterRoleTooPowerful means that a ClusterRole contains rights that
	// Usher never grants: to bind, to escalate, to impersonate, to do everything,
	// or to write what only Usher may write.
	ReasonClusterRoleTooPowerful = "ClusterRoleTooPowerful"

	// ReasonPoliciesMissing means that some of Usher's ValidatingAdmissionPolicies
	// are absent, not enforced or changed. For a grant or an Invitation, it means
	// that the API server did not check whether its author may assign the role.
	ReasonPoliciesMissing = "PoliciesMissing"

	// ReasonRollingOut means that a change of the catalogue has not reached every
	// member yet. status.rollout reports the progress.
	ReasonRollingOut = "RollingOut"

	// ReasonBindForbidden means that Usher's own rights do not allow it to bind a
	// ClusterRole that a permission names.
	ReasonBindForbidden = "BindForbidden"
)

// OrganizationStatus is the state of an Organization that Usher last observed.
//
// +kubebuilder:validation:MinProperties=1
type OrganizationStatus struct {
	// conditions are Ready, NamespaceReady, CatalogueValid, PoliciesInForce and
	// MailValid. Reconciling, Stalled, MailHeld and QuotaReached are present only
	// while they are True.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that the status describes; -1 on a new
	// object.
	// +kubebuilder:validation:Minimum=-1
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// seats records who has the seats. Unset: spec.seats is unset.
	// +optional
	Seats SeatsStatus `json:"seats,omitempty,omitzero"`

	// owners are the first 100 owners, in the order in which they became owners.
	// Usher removes an owner from the list before withdrawing their access, and
	// never removes the last one. Unset: there is no owner.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	// +optional
	Owners []OwnerStatus `json:"owners,omitempty"`

	// founders are the names of the founders whose Memberships Usher has created.
	// Usher never creates them again. The annotation accounts.usher.dev/founders
	// has the same names, and Usher restores either of them from the other. Unset:
	// none was created.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=set
	// +optional
	Founders []CatalogueName `json:"founders,omitempty"`

	// rollout reports the progress of a change of the catalogue. Unset: every
	// member has what the catalogue grants.
	// +optional
	Rollout RolloutStatus `json:"rollout,omitempty,omitzero"`

	// resources lists what the selector of a resource covers now, in the order of
	// spec.resources. Unset: no resource has a selector.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Resources []ResourceStatus `json:"resources,omitempty"`
}

// ResourceStatus is what the selector of a resource covers.
type ResourceStatus struct {
	// name is the name of the resource.
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// covered is the number of namespaces that the selector covers, without those
	// where Usher grants nothing.
	// +kubebuilder:validation:Minimum=0
	// +required
	Covered *int32 `json:"covered,omitempty"`

	// namespaces are the first 20 of these namespaces, sorted. Unset: none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=set
	// +optional
	Namespaces []NamespaceName `json:"namespaces,omitempty"`
}

// OwnerStatus is an owner of an Organization.
type OwnerStatus struct {
	// name is the name of the Membership.
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// role is the role that makes the member an owner. The owner keeps this role
	// while they are in the list, even if their Membership has changed since.
	// +required
	Role CatalogueName `json:"role,omitempty"`
}

// RolloutStatus is the progress of a change of the catalogue.
type RolloutStatus struct {
	// members is the number of Memberships that are Active.
	// +kubebuilder:validation:Minimum=1
	// +required
	Members int32 `json:"members,omitempty"`

	// updated is the number of those Memberships that already have what the
	// catalogue grants.
	// +kubebuilder:validation:Minimum=0
	// +required
	Updated *int32 `json:"updated,omitempty"`
}

// SeatsStatus records who has the seats of an Organization. A person can be
// invited to, or have, a role whose seat is Counted only with a seat in this
// list.
type SeatsStatus struct {
	// taken is the number of taken seats. It exceeds spec.seats only after
	// spec.seats was lowered or the list of holders was lost.
	// +kubebuilder:validation:Minimum=0
	// +required
	Taken *int32 `json:"taken,omitempty"`

	// holders are the Memberships and Invitations that have a seat, by name.
	// Unset: none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10000
	// +listType=atomic
	// +optional
	Holders []SeatHolder `json:"holders,omitempty"`
}

// SeatHolder is the Membership or the Invitation that has a seat.
type SeatHolder struct {
	// name is the name of the Membership and of its Invitation.
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// invitationUID is the UID of the Invitation to which the seat was given.
	// Unset: the seat was given to the Membership of an existing member.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	InvitationUID string `json:"invitationUID,omitempty"`

	// attempt is the last attempt of the Invitation that Usher may mail with this
	// seat. Unset: the seat was given to the Membership of an existing member.
	// +kubebuilder:validation:Minimum=1
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
}
