// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types of an Organization, besides Ready, Reconciling and Stalled.
const (
	// ConditionNamespaceReady tells whether the home namespace can be used.
	//
	// True: Reconciled. False: NamespaceTaken, NamespaceTerminating.
	ConditionNamespaceReady = "NamespaceReady"

	// ConditionCatalogueValid tells whether everything that the catalogue
	// names exists and may be granted. What is valid in an invalid catalogue
	// is granted all the same.
	//
	// True: Reconciled. False: UnknownPermission, UnknownResource,
	// InvalidSelector, ClusterRoleNotFound, BindForbidden.
	ConditionCatalogueValid = "CatalogueValid"
)

// Reasons of an Organization's conditions.
const (
	// ReasonNamespaceTaken says that an older Organization has the same home namespace.
	ReasonNamespaceTaken = "NamespaceTaken"

	// ReasonNamespaceTerminating says that the home namespace is being
	// deleted; Usher makes it anew once it is gone.
	ReasonNamespaceTerminating = "NamespaceTerminating"

	// ReasonUnknownPermission says that a role grants a permission that the
	// catalogue does not have.
	ReasonUnknownPermission = "UnknownPermission"

	// ReasonUnknownResource says that a role grants something on a resource
	// that the catalogue does not have.
	ReasonUnknownResource = "UnknownResource"

	// ReasonInvalidSelector says that the selector of a resource cannot be read.
	ReasonInvalidSelector = "InvalidSelector"

	// ReasonClusterRoleNotFound says that a permission names a ClusterRole
	// that does not exist.
	ReasonClusterRoleNotFound = "ClusterRoleNotFound"

	// ReasonBindForbidden says that Usher's own rights do not allow it to
	// bind a ClusterRole that a permission names.
	ReasonBindForbidden = "BindForbidden"
)

// Organization is a tenant: a home namespace for its Memberships and
// Invitations, and the catalogue of all that its people can ever be granted.
// Only cluster admins write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=org,categories=usher
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether everything the Organization asks for is done"
// +kubebuilder:printcolumn:name="Namespace",type="string",JSONPath=".spec.namespace",description="The home namespace of Memberships and Invitations"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="Why it is, or is not, ready"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Organization was made"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="name must be lower-case letters, digits and dashes, 63 at the most, such as acme",fieldPath=".metadata"
type Organization struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The name is what Memberships
	// and Invitations refer to.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the Organization is and what it may grant.
	// +required
	Spec OrganizationSpec `json:"spec,omitzero"`

	// status is what Usher last saw.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status OrganizationStatus `json:"status,omitempty,omitzero"`
}

// OrganizationSpec is what an Organization is and what it may grant.
type OrganizationSpec struct {
	// displayName is what people read in mails and pages. Unset: the
	// Organization's name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// namespace is the home namespace, where the Memberships and Invitations
	// of this Organization live. Usher makes it if it is absent and never
	// deletes it. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="namespace cannot be changed: make a new Organization with the other namespace and move its Memberships there"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('kube-')",message="must not be a system namespace: names that start with kube- belong to Kubernetes itself"
	// +required
	Namespace NamespaceName `json:"namespace,omitempty"`

	// invitationValiditySeconds is how long an invitation can be accepted,
	// counted from when it is mailed, in seconds, from 60 to 30 days. Unset: 7
	// days. A change holds for invitations mailed after it.
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=2592000
	// +optional
	InvitationValiditySeconds int32 `json:"invitationValiditySeconds,omitempty"`

	// resources are what access can be given to. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Resources []Resource `json:"resources,omitempty"`

	// permissions are what may be done with a resource. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Permissions []Permission `json:"permissions,omitempty"`

	// roles are named sets of grants; a Membership has one of them. At least
	// one, at most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +required
	Roles []Role `json:"roles,omitempty"`
}

// Resource is something that access can be given to.
type Resource struct {
	// name is what grants refer to.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is what people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// namespaces are the namespaces that the resource stands for.
	// +required
	Namespaces ResourceNamespaces `json:"namespaces,omitzero"`
}

// ResourceNamespaces says which namespaces a resource stands for, by name or
// by label. Namespaces of the system, and Usher's own, are never among them.
//
// +kubebuilder:validation:ExactlyOneOf=names;selector
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || has(self.selector.matchLabels) && size(self.selector.matchLabels) > 0 || has(self.selector.matchExpressions) && size(self.selector.matchExpressions) > 0",message="selector must not be empty: an empty selector would match every namespace"
type ResourceNamespaces struct {
	// names lists the namespaces. One that does not exist yet is granted as
	// soon as it does. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('kube-')",message="must not be a system namespace: names that start with kube- belong to Kubernetes itself"
	// +listType=set
	// +optional
	Names []NamespaceName `json:"names,omitempty"`

	// selector picks namespaces by their labels. Whoever may label a namespace
	// decides then whether people get access to it.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Permission is something that may be done with a resource. It has exactly one
// target: a ClusterRole or a group.
//
// +kubebuilder:validation:XValidation:rule="has(self.clusterRole) != has(self.group)",message="a permission has one target: set either clusterRole or group, not both and not none"
type Permission struct {
	// name is what grants refer to.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is what people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// clusterRole is bound to the member, by a RoleBinding, in each namespace
	// of the granted resource. Usher must be allowed to bind it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="clusterRole must not be one of the system's own (system:…): choose view, edit or a ClusterRole of your own"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^/%\\\\s]+$')",message="clusterRole must be the name of a ClusterRole, without spaces, / and %"
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// group is a group that the member belongs to while the grant is in force.
	// Membership status lists it, for whatever reads groups from there; it has
	// no meaning to Kubernetes itself.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="group must not be one of the system's own (system:…)"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-a-zA-Z0-9._:/@]+$')",message="group must be letters, digits and - . _ : / @"
	// +optional
	Group string `json:"group,omitempty"`
}

// Role is a named set of grants.
type Role struct {
	// name is what Memberships and Invitations refer to.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is what people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// grants are what everybody with this role may do. Unset: nothing. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=permission
	// +optional
	Grants []Grant `json:"grants,omitempty"`
}

// Grant gives one permission on some resources.
type Grant struct {
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

// OrganizationStatus is what Usher last saw of an Organization.
//
// +kubebuilder:validation:MinProperties=1
type OrganizationStatus struct {
	// conditions are Ready, NamespaceReady and CatalogueValid, and Reconciling
	// or Stalled while they are True.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that the status speaks of; -1 on a
	// new object.
	// +kubebuilder:validation:Minimum=-1
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
}

// OrganizationList is a list of Organizations.
//
// +kubebuilder:object:root=true
type OrganizationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Organization `json:"items"`
}

// Title is what people read: the display name or, without one, the name.
func (o *Organization) Title() DisplayText {
	return title(o.Spec.DisplayName, CatalogueName(o.Name))
}

// Role finds a role of the Organization by name.
func (o *Organization) Role(name CatalogueName) (Role, bool) {
	for _, role := range o.Spec.Roles {
		if role.Name == name {
			return role, true
		}
	}
	return Role{}, false
}

// Title is what people read: the display name or, without one, the name.
func (r Role) Title() DisplayText { return title(r.DisplayName, r.Name) }

func title(display DisplayText, name CatalogueName) DisplayText {
	if display != "" {
		return display
	}
	return DisplayText(name)
}
