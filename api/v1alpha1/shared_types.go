// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// FieldManager is the name under which Usher applies objects outside its own
// API group: whatever carries it in managedFields was made by Usher.
const FieldManager = "usher"

// GrantableName is the name of the ClusterRole that names the ClusterRoles which
// Usher may bind.
const GrantableName = "usher-grantable"

// AccountUserPrefix stands before an Account's name wherever Kubernetes sees
// that person: the Account jane is the user usher:jane.
const AccountUserPrefix = "usher:"

// Finalizer holds back the deletion of an Organization, a Membership or an
// Account until everything that Usher made for it outside the object is gone.
const Finalizer = "accounts.usher.dev/withdraw"

// MembershipsAnnotation is the durable record, on an Account, of the
// Memberships that it took up: "namespace/name" pairs, sorted, separated by
// commas. Where the Membership is for another address than the Account's own,
// "=" and that address follow. A status can be lost in a restore; this is what
// brings it back. Only the controller writes it.
const MembershipsAnnotation = "accounts.usher.dev/memberships"

// MailedAnnotation is the durable record, on an Invitation, that it was mailed
// once: the time of the first mailing, after RFC 3339. An Invitation that has
// it and no status has lost its status, and is not mailed again by itself. Only
// the controller writes it.
const MailedAnnotation = "accounts.usher.dev/mailed"

// MadeForMembershipAnnotation says, on an Invitation, that Usher made it for the
// Membership of the same name. The owner reference says so too, and does not
// survive every restore. Only the controller writes it, when it makes the
// Invitation.
const MadeForMembershipAnnotation = "accounts.usher.dev/made-for-membership"

// FoundersAnnotation is the durable record, on an Organization, of the founders
// whose Memberships were made: names, sorted, separated by commas. Each is made
// once; what becomes of it is up to who manages the Organization. Only the
// controller writes it.
const FoundersAnnotation = "accounts.usher.dev/founders"

// ResendAnnotation asks, on an Invitation or on its Membership, for one more
// mailing with a new link: the time of the request, after RFC 3339. Each value
// counts once.
const ResendAnnotation = "accounts.usher.dev/resendRequestedAt"

// ReleaseMailAnnotation lets, on an Organization, the invitations go out that
// were held back because they came back without a status: the time of the
// request, after RFC 3339. It releases what was held before that time.
const ReleaseMailAnnotation = "accounts.usher.dev/releaseMailRequestedAt"

// ResetAnnotation asks, on an Account or on a Membership that it holds, for a
// mail with a link for a new password: the time of the request, after RFC 3339.
// Each value counts once, and for an hour. Nobody but the person sees the
// password, or chooses it.
const ResetAnnotation = "accounts.usher.dev/resetRequestedAt"

// UnlockAnnotation asks, on an Account or on a Membership that it holds, for an
// Account that is locked to be opened: the time of the request, after RFC 3339.
// Each value counts once, and for an hour.
const UnlockAnnotation = "accounts.usher.dev/unlockRequestedAt"

// TwoFactorAnnotation is the durable record, on an Account, of whether it has a
// second factor: Enrolled or NotEnrolled. A status can be lost in a restore; this
// is what brings it back. Only the controller writes it.
const TwoFactorAnnotation = "accounts.usher.dev/two-factor"

// What an Organization may have in its home namespace, by name. Usher may read
// these and no others.
const (
	// MailTemplatesName is the ConfigMap with its own wording of mails.
	MailTemplatesName = "usher-mail-templates"
	// CredentialsName is the Secret with the password of its mail server, its
	// DKIM key, and the URL of its chat.
	CredentialsName = "usher-credentials" //nolint:gosec // G101: this names a Secret, and is none.
)

// Entries of the Secret CredentialsName.
const (
	// SMTPPasswordKey holds the password of the user in spec.mail.server.
	SMTPPasswordKey = "smtp-password"
	// DKIMKeyKey holds the private key that mails are signed with, in PEM form.
	DKIMKeyKey = "dkim-key"
	// ChatURLKey holds the URL of the chat that is told who has joined.
	ChatURLKey = "chat-url"
)

// Link delivery writes one Secret into the home namespace.
const (
	// LinkSecretSuffix follows the name of the Invitation in the Secret's name.
	LinkSecretSuffix = "-link"
	// LinkSecretType is the type of the Secret.
	LinkSecretType = "accounts.usher.dev/link"
	// LinkKey is the entry that holds the link.
	LinkKey = "link"
)

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

	// ReasonDeclined says that the person does not want to join.
	ReasonDeclined = "Declined"

	// ReasonSeatsExhausted says that every seat of the Organization is taken;
	// it goes on by itself when one comes free.
	ReasonSeatsExhausted = "SeatsExhausted"

	// ReasonMailHeld says that the invitation was mailed before its status was
	// lost, and that it is not mailed again until somebody asks for it.
	ReasonMailHeld = "MailHeld"

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
// 4.1.2 without quoted local parts and address literals, and after RFC 6531 for
// letters beyond ASCII.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=254
// +kubebuilder:validation:XValidation:rule="self.matches('^([\\\\p{L}\\\\p{N}]\\\\p{M}*|[-!#$%&\\'*+/=?^_`{|}~])+([.]([\\\\p{L}\\\\p{N}]\\\\p{M}*|[-!#$%&\\'*+/=?^_`{|}~])+)*@([\\\\p{L}\\\\p{N}]([-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}])?[.])+\\\\p{L}[-\\\\p{L}\\\\p{M}\\\\p{N}]{0,61}[\\\\p{L}\\\\p{M}\\\\p{N}]$')",message="must be a complete e-mail address such as jane@example.com"
// +kubebuilder:validation:XValidation:rule="!self.matches('[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u3164\\ufe00-\\ufe0f\\uffa0\\U000e0100-\\U000e01ef]')",message="must not hold characters that cannot be seen"
// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 254 && size(bytes(self.split('@')[0])) <= 64",message="must have at most 64 bytes before the @, and 254 in all"
type EmailAddress string

// CEL has no names for sets of characters. So the rules for texts list, by code
// point, what nobody sees and what turns round what people see: the soft hyphen,
// characters of no width, fillers and blanks, annotations, tags, and marks of
// direction that reach beyond themselves. Joiners, plain marks of direction and
// variation selectors may stand, because names in some scripts need them.

// DisplayText is one line of text that people read: a name or a title.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be one line of plain text, without control characters or others that cannot be seen"
// +kubebuilder:validation:XValidation:rule="self.trim() == self && self.matches('^[\\\\p{L}\\\\p{N}\\\\p{P}\\\\p{S}]')",message="must start with a letter, digit or sign, and must not end with a space"
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

// Language is the language of mails and pages, by its code of two letters (BCP 47).
//
// +kubebuilder:validation:Enum=en;it;fr;de;es;pt
type Language string

// AddressMatch says which address counts as that of an invited person.
//
// +kubebuilder:validation:Enum=Strict;AnyAddress
type AddressMatch string

// The rules for addresses.
const (
	// AddressMatchStrict: the Account's address is the invited one.
	AddressMatchStrict AddressMatch = "Strict"
	// AddressMatchAnyAddress: whoever has the link may accept with another
	// address of theirs, once they have shown that it is theirs.
	AddressMatchAnyAddress AddressMatch = "AnyAddress"
)

// DeliveryChannel is a way in which an invitation reaches a person.
//
// +kubebuilder:validation:Enum=Email;SMS;Link
type DeliveryChannel string

// The channels.
const (
	// ChannelEmail mails the link.
	ChannelEmail DeliveryChannel = "Email"
	// ChannelSMS sends the link to spec.phoneNumber.
	ChannelSMS DeliveryChannel = "SMS"
	// ChannelLink writes the link into a Secret of the home namespace, to be
	// handed over by hand.
	ChannelLink DeliveryChannel = "Link"
)

// A message must not hold what a mail program makes a link of: a scheme, a file
// share, an IP address, or a name with a dot in it, whichever of the dots that
// IDNA knows. Italian titles, such as Sig.ra and Dott.ssa, may stand: their ends
// are no top-level domains.

// InvitationTerms is how an invitation is brought to a person, and what they
// may accept it with.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.delivery) || !('SMS' in self.delivery) || has(self.phoneNumber)",message="phoneNumber must be set for delivery by SMS, such as +393331234567"
type InvitationTerms struct {
	// language of mails and of the page. Unset: that of the Organization.
	// +optional
	Language Language `json:"language,omitempty"`

	// addressMatch is Strict, where the Account must have the invited address,
	// or AnyAddress, where another address of the person's will do once it is
	// confirmed. Unset: as the Organization says.
	// +optional
	AddressMatch AddressMatch `json:"addressMatch,omitempty"`

	// delivery lists how the link is brought to the person: Email, SMS to
	// phoneNumber, Link into a Secret. Unset: Email.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +optional
	Delivery []DeliveryChannel `json:"delivery,omitempty"`

	// phoneNumber is where short messages go, such as +393331234567 (E.164).
	// Unset: nowhere.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[+][1-9][0-9]{6,14}$')",message="must be + and the whole number with its country code, digits alone, such as +393331234567"
	// +optional
	PhoneNumber string `json:"phoneNumber,omitempty"`

	// message is what who invites wants to say in the mail: plain text of up
	// to 500 characters, without links. Unset: nothing.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x09\\\\x0b-\\\\x1f\\\\x7f-\\\\x9f\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be plain text, without characters that cannot be seen other than line breaks"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)://|\\\\\\\\{2}|www[.]|[-_\\\\p{L}\\\\p{M}\\\\p{N}\\\\p{So}\\\\p{Cf}][\\u2024\\u3002\\ufe52\\uff0e\\uff61]\\\\p{Latin}{2}|(^|[^.\\\\d])[1-9]\\\\d{0,2}([.]\\\\d{1,3}){3}([.]?$|[.]?[^.\\\\d])')",message="must not hold links or web addresses"
	// +kubebuilder:validation:XValidation:rule="self.findAll('[-_\\\\p{L}\\\\p{M}\\\\p{N}\\\\p{So}\\\\p{Cf}][.]\\\\p{Cf}*\\\\p{L}\\\\p{Cf}*[\\\\p{L}\\\\p{M}][\\\\p{L}\\\\p{M}\\\\p{Cf}]*([.][-\\\\p{L}\\\\p{M}\\\\p{N}]+)*').all(name, name.matches('(?i)^.[.](ra|ssa)$'))",message="must not hold web addresses such as example.com: put a space after a full stop"
	// +optional
	Message string `json:"message,omitempty"`
}
