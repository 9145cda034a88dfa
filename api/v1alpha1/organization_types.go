// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
	// UnknownRole, InvalidDomain, InvalidSelector, SystemNamespace,
	// ClusterRoleNotFound, BindForbidden, ClusterRoleTooPowerful.
	ConditionCatalogueValid = "CatalogueValid"

	// ConditionPoliciesInForce tells whether the ValidatingAdmissionPolicies
	// that Usher is installed with are there, as they were. Without them
	// whoever may write Memberships could hand out every role of the catalogue;
	// so nobody new gets a ClusterRole that manages people until they are back.
	//
	// True: Reconciled. False: PoliciesMissing.
	ConditionPoliciesInForce = "PoliciesInForce"

	// ConditionMailValid tells whether the Organization's own mail server,
	// sender, key and wording can be used. Wording that cannot be used is
	// replaced by Usher's own meanwhile; nothing is sent by another server.
	//
	// True: Reconciled. False: TemplateInvalid, MailServerInvalid, ChatInvalid.
	ConditionMailValid = "MailValid"

	// ConditionMailHeld is present, and then True, only while invitations that
	// were mailed before their status was lost wait for somebody to ask for
	// them: by the annotation accounts.usher.dev/releaseMailRequestedAt here,
	// or by a resend of single ones.
	//
	// True: MailHeld.
	ConditionMailHeld = "MailHeld"
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

	// ReasonSystemNamespace says that a resource names a namespace of the system:
	// one of Kubernetes' own, or Usher's. Of a grant too. Nothing is given there.
	ReasonSystemNamespace = "SystemNamespace"

	// ReasonUnknownRole says that a founder gets a role that the catalogue
	// does not have.
	ReasonUnknownRole = "UnknownRole"

	// ReasonInvalidDomain says that a domain of the address rules cannot be read.
	ReasonInvalidDomain = "InvalidDomain"

	// ReasonTemplateInvalid says that a template of the ConfigMap
	// usher-mail-templates cannot be used; the message says which, where and why.
	ReasonTemplateInvalid = "TemplateInvalid"

	// ReasonMailServerInvalid says that spec.mail, or what belongs to it in
	// the Secret usher-credentials, cannot be used.
	ReasonMailServerInvalid = "MailServerInvalid"

	// ReasonChatInvalid says that chat-url in the Secret usher-credentials is
	// no chat that Usher can post to.
	ReasonChatInvalid = "ChatInvalid"

	// ReasonClusterRoleNotFound says that a permission names a ClusterRole
	// that does not exist.
	ReasonClusterRoleNotFound = "ClusterRoleNotFound"

	// ReasonClusterRoleTooPowerful says that a ClusterRole holds what nobody is
	// given through Usher: to bind or to escalate, to be somebody else,
	// everything there is, or to write what Usher keeps for itself.
	ReasonClusterRoleTooPowerful = "ClusterRoleTooPowerful"

	// ReasonPoliciesMissing says that ValidatingAdmissionPolicies of Usher's
	// are absent, not enforced or changed. Of a grant, or of an Invitation:
	// nobody was asked whether who wrote it may hand it out.
	ReasonPoliciesMissing = "PoliciesMissing"

	// ReasonRollingOut says that a change of the catalogue has not reached
	// everybody yet; status.rollout says how far it is.
	ReasonRollingOut = "RollingOut"

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

	// language of mails and pages where an invitation does not say. Unset:
	// English.
	// +optional
	Language Language `json:"language,omitempty"`

	// addressMatch is Strict or AnyAddress, where an invitation does not say.
	// Unset: Strict.
	// +optional
	AddressMatch AddressMatch `json:"addressMatch,omitempty"`

	// allowedDomains are the only domains, with their subdomains, whose
	// addresses may be invited. Unset: all. At most 100.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	AllowedDomains []DomainName `json:"allowedDomains,omitempty"`

	// deniedDomains are domains, with their subdomains, whose addresses may
	// not be invited, whatever allowedDomains says. Unset: none. At most 100.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	DeniedDomains []DomainName `json:"deniedDomains,omitempty"`

	// qualifier follows the user names of Accounts that are made through this
	// Organization: people sign in as chosen/qualifier. Unset: user names have
	// none. A change holds for Accounts made after it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as acme"
	// +optional
	Qualifier string `json:"qualifier,omitempty"`

	// seats is how many people may have a role whose seat is Counted, open
	// invitations included. Beyond it nobody is invited until a seat comes
	// free. Unset: as many as there are.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5000
	// +optional
	Seats int32 `json:"seats,omitempty"`

	// founders are the first owners. Usher makes a Membership of that name for
	// each, once. At most 8.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Founders []Founder `json:"founders,omitempty"`

	// legalEntity is the legal entity that the Organization belongs to, in the
	// same words wherever it is named, such as Acme S.p.A. One Account can belong
	// to several Organizations of one legal entity, and to none of another.
	// Unset: the Organization is one of its own.
	// +optional
	LegalEntity DisplayText `json:"legalEntity,omitempty"`

	// supportContact is whom people can turn to, as they shall read it: an
	// address or a telephone number. Unset: nobody is named.
	// +optional
	SupportContact DisplayText `json:"supportContact,omitempty"`

	// signIn is how members sign in. Unset: each as its default says.
	// +optional
	SignIn SignInRules `json:"signIn,omitempty,omitzero"`

	// mail is the Organization's own mail server. Unset: Usher's.
	// +optional
	Mail OrganizationMail `json:"mail,omitempty,omitzero"`

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

	// defaultGrants are what every member gets besides what their role grants;
	// guests do not. Unset: nothing. At most 64.
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
// +kubebuilder:validation:XValidation:rule="self.matches('^([\\\\p{L}\\\\p{N}]([-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}])?[.])+\\\\p{L}[-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}]$')",message="must be a complete domain alone, such as example.com, which covers its subdomains too"
type DomainName string

// Founder is one of the first owners of an Organization.
type Founder struct {
	// name is the name of the Membership that is made.
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
	// server is the mail server: smtp://user@host for STARTTLS, smtps:// for
	// TLS, smtp+plaintext:// without any. It holds no password.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches(':[^/].*@')",message="must not hold a password: put it into the Secret usher-credentials, under smtp-password"
	// +kubebuilder:validation:XValidation:rule="self.matches('^smtp(s|[+]plaintext)?://([-.~!$&\\'()*+,;=%@\\\\w]+@)?([-.a-zA-Z0-9]+|\\\\[[0-9a-fA-F:.]+\\\\])(:[0-9]{1,5})?/?$')",message="must be smtp://, smtps:// or smtp+plaintext:// and the host, such as smtp://usher@mail.example.com:587"
	// +required
	Server string `json:"server,omitempty"`

	// sender is the From of mails, such as "Acme <accounts@acme.example>".
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be one line of plain text, without control characters or others that cannot be seen"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([^<>]*<[^<>@\\\\s]+@[^<>@\\\\s]+>|[^<>@,;\\\\s]+@[^<>@,;\\\\s]+)$')",message="must be one address, with or without a name, such as Acme <accounts@acme.example>"
	// +required
	Sender string `json:"sender,omitempty"`

	// dkimSelector names the key that mails are signed with, below the domain
	// of the sender (RFC 6376). Unset: they are not signed.
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

// Grants are what everybody with a role gets: what the role grants and, unless
// they are guests, the default grants.
func (o *Organization) Grants(role Role) []Grant {
	if role.Standing == StandingGuest {
		return role.Grants
	}
	return slices.Concat(role.Grants, o.Spec.DefaultGrants)
}

// Owns tells whether a role of the Organization makes people owners.
func (o *Organization) Owns(name CatalogueName) bool {
	role, found := o.Role(name)
	return found && role.Standing == StandingOwner
}

// HasOwners tells whether the Organization has a role that makes people owners.
func (o *Organization) HasOwners() bool {
	return slices.ContainsFunc(o.Spec.Roles, func(r Role) bool { return r.Standing == StandingOwner })
}

// Owner finds an owner of the Organization by the name of their Membership.
func (o *Organization) Owner(name string) (OwnerStatus, bool) {
	for _, owner := range o.Status.Owners {
		if string(owner.Name) == name {
			return owner, true
		}
	}
	return OwnerStatus{}, false
}
