// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Organization represents a tenant. It has a home namespace for its Memberships
// and Invitations, and a catalogue of everything that can ever be granted to
// its members. Only cluster admins write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=org,categories=usher
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done everything that the Organization asks for"
// +kubebuilder:printcolumn:name="Namespace",type="string",JSONPath=".spec.namespace",description="The home namespace of Memberships and Invitations"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="The reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Organization was created"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="name must be at most 63 lower-case letters, digits and dashes, such as acme",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'system'",message="name must not be system: its roles would look like the groups of Kubernetes itself (system:…)",fieldPath=".metadata"
type Organization struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. Memberships and Invitations
	// refer to the name.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the Organization and what it can grant.
	// +required
	Spec OrganizationSpec `json:"spec,omitzero"`

	// status is the state that Usher last observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status OrganizationStatus `json:"status,omitempty,omitzero"`
}

// OrganizationSpec describes an Organization and what it can grant.
type OrganizationSpec struct {
	// displayName is the name that people read in mails and on pages. Unset: the
	// name of the Organization.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// namespace is the home namespace, which contains the Memberships and
	// Invitations of this Organization. Usher creates it if it does not exist, and
	// never deletes it. It must not be default or usher-accounts. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="namespace cannot be changed: create a new Organization with the other namespace and move the Memberships there"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('kube-')",message="must not be a system namespace: names that start with kube- belong to Kubernetes itself"
	// +kubebuilder:validation:XValidation:rule="!(self in ['default', 'usher-accounts'])",message="must not be default or usher-accounts, which are not for one tenant: choose a namespace for this Organization alone"
	// +required
	Namespace NamespaceName `json:"namespace,omitempty"`

	// invitationValiditySeconds is the time for which an invitation can be
	// accepted after it was mailed, in seconds: from 60 to 2592000 (30 days). A
	// change applies to invitations that are mailed afterwards. Unset: 604800 (7
	// days).
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=2592000
	// +optional
	InvitationValiditySeconds int32 `json:"invitationValiditySeconds,omitempty"`

	// language is the language of mails and pages for invitations that do not set
	// one. Unset: English.
	// +optional
	Language Language `json:"language,omitempty"`

	// addressMatch is the address rule for invitations that do not set one: Strict
	// or AnyAddress. Unset: Strict.
	// +optional
	AddressMatch AddressMatch `json:"addressMatch,omitempty"`

	// allowedDomains lists the only domains whose addresses can be invited. Each
	// includes its subdomains. Unset: all domains. At most 100.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	AllowedDomains []DomainName `json:"allowedDomains,omitempty"`

	// deniedDomains lists domains whose addresses cannot be invited, even if
	// allowedDomains lists them. Each includes its subdomains. Unset: none. At
	// most 100.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	DeniedDomains []DomainName `json:"deniedDomains,omitempty"`

	// qualifier is the suffix of the user names of Accounts that are created
	// through this Organization. People sign in as chosen/qualifier. A change
	// applies to Accounts that are created afterwards. Unset: no suffix.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as acme"
	// +optional
	Qualifier string `json:"qualifier,omitempty"`

	// seats is the maximum number of people with a role whose seat is Counted,
	// including open invitations. When all seats are taken, Usher invites no more
	// people until a seat becomes free. Unset: unlimited.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5000
	// +optional
	Seats int32 `json:"seats,omitempty"`

	// invitationsPerDay is the maximum number of invitations that Usher sends for
	// the Organization within 24 hours, over all media and including resends: from
	// 1 to 100000. Codes to other addresses count too. Further ones wait, and Usher
	// sends them as soon as the limit allows it. A change applies at once. Unset:
	// twice spec.seats, but at least 100; 1000 if spec.seats is unset.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	InvitationsPerDay int32 `json:"invitationsPerDay,omitempty"`

	// founders are the first owners. Usher creates a Membership of the given name
	// for each of them, once. Unset: none. At most 8.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Founders []Founder `json:"founders,omitempty"`

	// legalEntity is the legal entity to which the Organization belongs, such as
	// Acme S.p.A. It must be spelled identically in all Organizations of the
	// entity. An Account can belong to several Organizations of one legal entity,
	// but not to Organizations of different ones. Unset: the Organization is an
	// entity of its own.
	// +optional
	LegalEntity DisplayText `json:"legalEntity,omitempty"`

	// supportContact is an address or a phone number that is shown to people who
	// need help. Unset: none is shown.
	// +optional
	SupportContact DisplayText `json:"supportContact,omitempty"`

	// signIn defines how members sign in. Unset: the default of each field.
	// +optional
	SignIn SignInRules `json:"signIn,omitempty,omitzero"`

	// mail is the Organization's own mail server. Unset: Usher's mail server.
	// +optional
	Mail OrganizationMail `json:"mail,omitempty,omitzero"`

	// resources are the things to which access can be granted. Unset: none. At
	// most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Resources []Resource `json:"resources,omitempty"`

	// permissions are the things that can be done with a resource. Unset: none. At
	// most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Permissions []Permission `json:"permissions,omitempty"`

	// roles are named sets of grants. A Membership has one of them. At least one,
	// at most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +required
	Roles []Role `json:"roles,omitempty"`

	// defaultGrants are the grants that every member except guests gets, in
	// addition to those of the role. Unset: none. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=permission
	// +optional
	DefaultGrants []Grant `json:"defaultGrants,omitempty"`
}

// DomainName is a domain of mail addresses, such as example.com.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^([\\\\p{L}\\\\p{N}]([-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}])?[.])+\\\\p{L}[-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}]$')",message="must be a complete domain and nothing else, such as example.com, which includes its subdomains"
type DomainName string

// Founder is one of the first owners of an Organization.
type Founder struct {
	// name is the name of the Membership that Usher creates.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as ada-example"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// email is the founder's address.
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the founder's given name. Unset: not known.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the founder's family name. Unset: not known.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// role is the name of a role of the Organization whose standing is Owner.
	// +required
	Role CatalogueName `json:"role,omitempty"`
}

// OrganizationMail is the mail server and the sender of an Organization. The
// password and the DKIM key are in the Secret usher-credentials of the home
// namespace, under smtp-password and dkim-key.
type OrganizationMail struct {
	// server is the URL of the mail server: smtp://user@host for STARTTLS,
	// smtps:// for TLS, or smtp+plaintext:// without encryption. It must not
	// contain a password.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches(':[^/].*@')",message="must not contain a password: put the password into the Secret usher-credentials, under smtp-password"
	// +kubebuilder:validation:XValidation:rule="self.matches('^smtp(s|[+]plaintext)?://([-.~!$&\\'()*+,;=%@\\\\w]+@)?([-.a-zA-Z0-9]+|\\\\[[0-9a-fA-F:.]+\\\\])(:[0-9]{1,5})?/?$')",message="must be smtp://, smtps:// or smtp+plaintext:// followed by the host, such as smtp://usher@mail.example.com:587"
	// +required
	Server string `json:"server,omitempty"`

	// sender is the From header of mails, such as "Acme <accounts@acme.example>".
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be one line of plain text without control characters or invisible characters"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([^<>]*<[^<>@\\\\s]+@[^<>@\\\\s]+>|[^<>@,;\\\\s]+@[^<>@,;\\\\s]+)$')",message="must be one address, with or without a name, such as Acme <accounts@acme.example>"
	// +required
	Sender string `json:"sender,omitempty"`

	// dkimSelector is the selector of the key that signs mails, below the domain
	// of the sender (RFC 6376). Unset: mails are not signed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$')",message="must be letters, digits and dashes, with dots between its parts, such as usher or 2026.usher"
	// +optional
	DKIMSelector string `json:"dkimSelector,omitempty"`
}

// OrganizationList is a list of Organizations.
//
// +kubebuilder:object:root=true
type OrganizationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Organization `json:"items"`
}

// Title returns the text that people read: the display name or, if it is unset,
// the name.
func (o *Organization) Title() DisplayText {
	return title(o.Spec.DisplayName, CatalogueName(o.Name))
}

// Role returns the role of the Organization with the given name, and reports
// whether it exists.
func (o *Organization) Role(name CatalogueName) (Role, bool) {
	for _, role := range o.Spec.Roles {
		if role.Name == name {
			return role, true
		}
	}
	return Role{}, false
}

// Grants returns what every member with a role gets: the grants of the role
// and, unless they are guests, the default grants.
func (o *Organization) Grants(role Role) []Grant {
	if role.Standing == StandingGuest {
		return role.Grants
	}
	return slices.Concat(role.Grants, o.Spec.DefaultGrants)
}

// IsOwnerRole reports whether a role of the Organization makes its members owners.
func (o *Organization) IsOwnerRole(name CatalogueName) bool {
	role, found := o.Role(name)
	return found && role.Standing == StandingOwner
}

// HasOwners reports whether the Organization has a role that makes its members
// owners.
func (o *Organization) HasOwners() bool {
	return slices.ContainsFunc(o.Spec.Roles, func(r Role) bool { return r.Standing == StandingOwner })
}

// Owner returns the owner of the Organization whose Membership has the given
// name, and reports whether there is one.
func (o *Organization) Owner(name string) (OwnerStatus, bool) {
	for _, owner := range o.Status.Owners {
		if string(owner.Name) == name {
			return owner, true
		}
	}
	return OwnerStatus{}, false
}
