// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// FieldManager is the field manager of Usher's server-side apply outside its
// own API group. An object with this name in managedFields was applied by
// Usher.
const FieldManager = "usher"

// GrantableName is the name of the ClusterRole that lists the ClusterRoles
// which Usher may bind.
const GrantableName = "usher-grantable"

// AccountUserPrefix precedes the name of an Account in its Kubernetes user
// name: the Account jane is the Kubernetes user usher:jane.
const AccountUserPrefix = "usher:"

// Finalizer blocks the deletion of an Organization, a Membership or an Account
// until Usher has deleted everything that it created for the object elsewhere.
const Finalizer = "accounts.usher.dev/withdraw"

// MembershipsAnnotation is the durable record, on an Account, of the
// Memberships that it holds: "namespace/name" pairs, sorted and separated by
// commas. If the Membership is for another address than that of the Account,
// "=" and the invited address follow the pair. Usher restores the Memberships
// from this annotation if the status is lost, for example after a restore from
// backup. Only the controller writes it.
const MembershipsAnnotation = "accounts.usher.dev/memberships"

// MailedAnnotation is the durable record, on an Invitation, that Usher has
// mailed it: the time of the first mailing, as an RFC 3339 timestamp. An
// Invitation that has the annotation but no status has lost its status, so
// Usher does not mail it again on its own. Only the controller writes it.
const MailedAnnotation = "accounts.usher.dev/mailed"

// CreatedForMembershipAnnotation records, on an Invitation, that Usher created it
// for the Membership of the same name. The owner reference records the same,
// but does not survive every restore. Only the controller writes it, when it
// creates the Invitation.
const CreatedForMembershipAnnotation = "accounts.usher.dev/made-for-membership"

// FoundersAnnotation is the durable record, on an Organization, of the founders
// whose Memberships Usher has created: names, sorted and separated by commas.
// Usher creates each of them once. After that, the managers of the Organization
// decide about them. The status has the same names, because a PUT of the
// Organization drops its annotations. Only the controller writes it.
const FoundersAnnotation = "accounts.usher.dev/founders"

// ResendAnnotation requests, on an Invitation or on its Membership, one more
// mailing with a new link. Its value is the time of the request, as an RFC 3339
// timestamp. Each value counts once.
const ResendAnnotation = "accounts.usher.dev/resendRequestedAt"

// ReleaseMailAnnotation requests, on an Organization, that Usher mail the
// invitations that it held because they came back without a status. Its value
// is the time of the request, as an RFC 3339 timestamp. It releases the
// invitations that were held before that time.
const ReleaseMailAnnotation = "accounts.usher.dev/releaseMailRequestedAt"

// ResetAnnotation requests, on an Account or on a Membership that it holds, a
// mail with a link to set a new password. Its value is the time of the request,
// as an RFC 3339 timestamp. Each value counts once, and for one hour. Only the
// person sees and chooses the password.
const ResetAnnotation = "accounts.usher.dev/resetRequestedAt"

// UnlockAnnotation requests, on an Account or on a Membership that it holds,
// that Usher unlock a locked Account. Its value is the time of the request, as
// an RFC 3339 timestamp. Each value counts once, and for one hour.
const UnlockAnnotation = "accounts.usher.dev/unlockRequestedAt"

// TwoFactorAnnotation is the durable record, on an Account, of whether it has a
// second factor: Enrolled or NotEnrolled. Usher restores it from this
// annotation if the status is lost. Only the controller writes it.
const TwoFactorAnnotation = "accounts.usher.dev/two-factor"

// EmailVerifiedAnnotation is the durable record, on an Account, that the person
// receives mail at spec.email: the time at which Usher recorded it, as an RFC 3339
// timestamp. Only the controller writes it.
const EmailVerifiedAnnotation = "accounts.usher.dev/email-verified"

// Names of the objects with settings that an Organization can have in its home
// namespace. Usher can read these objects there and no others.
const (
	// MailTemplatesName is the ConfigMap with the Organization's own mail
	// templates.
	MailTemplatesName = "usher-mail-templates"
	// CredentialsName is the Secret with the password of the Organization's mail
	// server, its DKIM key, and the URL of its chat.
	CredentialsName = "usher-credentials" //nolint:gosec // G101: this names a Secret, and is none.
)

// Keys of the Secret CredentialsName.
const (
	// SMTPPasswordKey holds the password of the user in spec.mail.server.
	SMTPPasswordKey = "smtp-password"
	// DKIMKeyKey holds the private key that signs mails, in PEM format.
	DKIMKeyKey = "dkim-key"
	// ChatURLKey holds the URL of the chat to which Usher reports new members.
	ChatURLKey = "chat-url"
)

// CredentialsNamespace is the namespace of the Secrets with the credentials of
// Accounts. Usher's service accounts are in another namespace, so the portal can
// read all Secrets in this one and still cannot read a token of the controller.
// The name is fixed, because the policies name it.
const CredentialsNamespace = "usher-accounts"

// Parts of the Secret that the delivery channel Link writes to the home
// namespace.
const (
	// LinkSecretSuffix follows the name of the Invitation in the name of the
	// Secret.
	LinkSecretSuffix = "-link"
	// LinkSecretType is the type of the Secret.
	LinkSecretType = "accounts.usher.dev/link"
	// LinkKey is the key that holds the link.
	LinkKey = "link"
)

// Labels on every RoleBinding that Usher applies. They record what the binding
// was created for. Usher never grants anything because of a label.
const (
	ManagedByLabel           = "app.kubernetes.io/managed-by"
	ManagedByValue           = "usher"
	OrganizationLabel        = "accounts.usher.dev/organization"
	MembershipNamespaceLabel = "accounts.usher.dev/membership-namespace"
	MembershipNameLabel      = "accounts.usher.dev/membership"
	AccountLabel             = "accounts.usher.dev/account"
)

// GrantsLabel on a namespace excludes it from every grant, whether a resource names
// it, selects it, or it is a home namespace. Write the value Never; Usher treats every
// value as this one.
const (
	GrantsLabel = "accounts.usher.dev/grants"
	GrantsNever = "Never"
)

// WithheldLabel marks the ConfigMaps in Usher's own namespace that record the
// user names that no new Account may have.
const WithheldLabel = "accounts.usher.dev/withheld"

// Condition types that every kind reports, following the kstatus conventions.
const (
	// ConditionReady reports whether Usher has nothing left to do for this
	// generation of the object. Ready never waits for a person: an invitation is
	// Ready as soon as the mail server has taken the mail, even if the invited
	// person has not accepted.
	ConditionReady = "Ready"

	// ConditionReconciling is present, and then True, only while Usher is working
	// on the object or is waiting for something that can appear without
	// intervention.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is present, and then True, only while Usher cannot continue
	// until a manifest or the platform changes.
	ConditionStalled = "Stalled"
)

// Reasons that several kinds share.
const (
	// ReasonReconciled means that Usher has done everything that the object asks
	// for.
	ReasonReconciled = "Reconciled"

	// ReasonOrganizationNotFound means that spec.organizationRef names an
	// Organization that does not exist or is being deleted.
	ReasonOrganizationNotFound = "OrganizationNotFound"

	// ReasonWrongNamespace means that the object is not in the home namespace of
	// its Organization.
	ReasonWrongNamespace = "WrongNamespace"

	// ReasonRoleNotFound means that the Organization has no role of that name.
	ReasonRoleNotFound = "RoleNotFound"

	// ReasonAwaitingAcceptance means that Usher has done its part and that the
	// invited person has not answered yet.
	ReasonAwaitingAcceptance = "AwaitingAcceptance"

	// ReasonAccepted means that the person accepted the invitation.
	ReasonAccepted = "Accepted"

	// ReasonNotAccepted means that the invitation has not been accepted.
	ReasonNotAccepted = "NotAccepted"

	// ReasonExpired means that the invitation expired before the person accepted
	// it.
	ReasonExpired = "Expired"

	// ReasonDeclined means that the person declined the invitation.
	ReasonDeclined = "Declined"

	// ReasonSeatsExhausted means that every seat of the Organization is taken.
	// Usher continues without intervention when a seat becomes free.
	ReasonSeatsExhausted = "SeatsExhausted"

	// ReasonMailHeld means that the invitation was mailed before its status was
	// lost. Usher does not mail it again until an admin or a manager requests it.
	ReasonMailHeld = "MailHeld"

	// ReasonQuotaReached means that the Organization has sent as many invitations
	// within 24 hours as spec.invitationsPerDay allows. Usher continues without
	// intervention.
	ReasonQuotaReached = "QuotaReached"

	// ReasonNotExpired means that the invitation has not expired.
	ReasonNotExpired = "NotExpired"

	// ReasonSending means that the mail server has not taken the invitation yet.
	ReasonSending = "Sending"

	// ReasonDeleting means that the object is being deleted and that Usher is
	// removing what it created for it.
	ReasonDeleting = "Deleting"

	// ReasonError means that a request to the API server failed and is being
	// retried.
	ReasonError = "Error"
)

// Each field that defines a name checks for itself that a CatalogueName or a
// NamespaceName is well-formed. A rule on the type would also count for every
// use in nested lists, and would exceed the CEL cost that the API server
// allows.

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

// EmailAddress is an address that can receive mail. It follows RFC 5321 section
// 4.1.2, without quoted local parts and address literals, and RFC 6531 for
// characters outside ASCII.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=254
// +kubebuilder:validation:XValidation:rule="self.matches('^([\\\\p{L}\\\\p{N}]\\\\p{M}*|[-!#$%&\\'*+/=?^_`{|}~])+([.]([\\\\p{L}\\\\p{N}]\\\\p{M}*|[-!#$%&\\'*+/=?^_`{|}~])+)*@([\\\\p{L}\\\\p{N}]([-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}])?[.])+\\\\p{L}[-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}]$')",message="must be a complete e-mail address such as jane@example.com"
// +kubebuilder:validation:XValidation:rule="!self.matches('[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u3164\\ufe00-\\ufe0f\\uffa0\\U000e0100-\\U000e01ef]')",message="must not contain invisible characters"
// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 254 && size(bytes(self.split('@')[0])) <= 64",message="must have at most 64 bytes before the @ and at most 254 bytes in total"
type EmailAddress string

// CEL has no names for sets of characters, so the rules for texts list code
// points. They refuse characters that are invisible or that reorder the visible
// text. These are the soft hyphen, zero-width characters, fillers and blanks,
// annotations, tags, and direction marks that affect text beyond themselves.
// They allow joiners, plain direction marks and variation selectors, because
// names in some scripts need them.

// DisplayText is one line of text that people read: a name or a title.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be one line of plain text without control characters or invisible characters"
// +kubebuilder:validation:XValidation:rule="self.trim() == self && self.matches('^[\\\\p{L}\\\\p{N}\\\\p{P}\\\\p{S}]')",message="must start with a letter, digit, punctuation mark or symbol, and must not end with a space"
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

// Language is the language of mails and pages, as a two-letter code (BCP 47).
//
// +kubebuilder:validation:Enum=en;it;fr;de;es;pt
type Language string

// AddressMatch decides with which address an invited person can accept.
//
// +kubebuilder:validation:Enum=Strict;AnyAddress
type AddressMatch string

// The rules for addresses.
const (
	// AddressMatchStrict requires that the Account has the invited address.
	AddressMatchStrict AddressMatch = "Strict"
	// AddressMatchAnyAddress also accepts another address of the person with the
	// link, after the person has confirmed that it is theirs.
	AddressMatchAnyAddress AddressMatch = "AnyAddress"
)

// DeliveryChannel is a way to deliver an invitation to a person.
//
// +kubebuilder:validation:Enum=Email;SMS;Link
type DeliveryChannel string

// The channels.
const (
	// ChannelEmail mails the link.
	ChannelEmail DeliveryChannel = "Email"
	// ChannelSMS sends the link to spec.phoneNumber.
	ChannelSMS DeliveryChannel = "SMS"
	// ChannelLink writes the link to a Secret in the home namespace, so that a
	// manager can pass it on.
	ChannelLink DeliveryChannel = "Link"
)

// A message must not contain anything that mail programs turn into a link: a
// scheme, a file share, an IP address, or a name with a dot in it. The dot can
// be any character that IDNA treats as a dot. Italian titles such as Sig.ra and
// Dott.ssa are allowed, because their endings are not top-level domains.

// InvitationTerms defines how an invitation is delivered to a person, and with
// which address the person can accept it.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.delivery) || !('SMS' in self.delivery) || has(self.phoneNumber)",message="phoneNumber must be set for delivery by SMS, such as +393331234567"
type InvitationTerms struct {
	// language is the language of mails and of the page. Unset: the language of
	// the Organization.
	// +optional
	Language Language `json:"language,omitempty"`

	// addressMatch decides with which address the person can accept. Strict
	// requires an Account with the invited address. AnyAddress also accepts
	// another address, after the person has confirmed it. Unset: the rule of the
	// Organization.
	// +optional
	AddressMatch AddressMatch `json:"addressMatch,omitempty"`

	// delivery lists the channels that deliver the link: Email to the invited
	// address, SMS to phoneNumber, Link to a Secret in the home namespace. Unset:
	// Email.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +optional
	Delivery []DeliveryChannel `json:"delivery,omitempty"`

	// phoneNumber is the number that receives text messages, in E.164 format, such
	// as +393331234567. Required for delivery by SMS. Unset: no text messages are
	// sent.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+][1-9][0-9]{6,14}$')",message="must be + followed by the country code and the number, digits only, such as +393331234567"
	// +optional
	PhoneNumber string `json:"phoneNumber,omitempty"`

	// message is a personal message of the inviter for the mail: plain text of up
	// to 500 characters, without links. Unset: the mail contains no message.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x09\\\\x0b-\\\\x1f\\\\x7f-\\\\x9f\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be plain text without invisible characters other than line breaks"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)://|\\\\\\\\{2}|www[.]|[-_\\\\p{L}\\\\p{M}\\\\p{N}\\\\p{So}\\\\p{Cf}][\\u2024\\u3002\\ufe52\\uff0e\\uff61]\\\\p{Latin}{2}|(^|[^.\\\\d])[1-9]\\\\d{0,2}([.]\\\\d{1,3}){3}([.]?$|[.]?[^.\\\\d])')",message="must not contain links or web addresses"
	// +kubebuilder:validation:XValidation:rule="self.findAll('[-_\\\\p{L}\\\\p{M}\\\\p{N}\\\\p{So}\\\\p{Cf}][.]\\\\p{Cf}*\\\\p{L}\\\\p{Cf}*[\\\\p{L}\\\\p{M}][\\\\p{L}\\\\p{M}\\\\p{Cf}]*([.][-\\\\p{L}\\\\p{M}\\\\p{N}]+)*').all(name, name.matches('(?i)^.[.](ra|ssa)$'))",message="must not contain web addresses such as example.com: put a space after each full stop"
	// +optional
	Message string `json:"message,omitempty"`
}
