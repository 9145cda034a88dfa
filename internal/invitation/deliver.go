// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

// noticePeriod is how long Usher tries to notify people about an answer.
const noticePeriod = 7 * 24 * time.Hour

// maxEarlier is how many superseded attempts are kept.
const maxEarlier = 16

// maxOwners is how many owners are notified about an answer.
const maxOwners = 16

// Claim is one send of one message. It is written before the message is sent.
type Claim struct {
	delivery.Try
	// Attempt that begins with this claim; nil: the send belongs to the current
	// attempt, or to none.
	Attempt *accountsv1.Attempt
	// Deliveries of the new attempt.
	Deliveries []accountsv1.Delivery
	// ExpirationTime is when the link of the new attempt expires.
	ExpirationTime *metav1.Time
}

// IsIn reports whether the claim was written into the status of an Invitation.
func (c Claim) IsIn(inv *accountsv1.Invitation) bool {
	return Delivery(inv, c.Name).TryTime.Equal(&c.Time) && (c.Attempt == nil || c.Attempt.Number == inv.Status.Attempt.Number)
}

// Begin writes a claim into a status. A new attempt starts its validity and discards
// the answer to the previous attempt. The codes that were mailed within a day stay,
// because they count.
func Begin(status *accountsv1.InvitationStatus, claim Claim) {
	codes := recentCodes(status.Deliveries, claim.Time.Time)
	if a := claim.Attempt; a != nil {
		status.ExpirationTime = claim.ExpirationTime
		status.Attempt = *a
		status.Deliveries = slices.Concat(claim.Deliveries, codes)
		status.Acceptance, status.Decline = accountsv1.Acceptance{}, accountsv1.Decline{}
		status.OtherAddress, status.Guesses = accountsv1.OtherAddress{}, 0
		status.State = accountsv1.InvitationSending
	}
	if delivery.Find(status.Deliveries, claim.Name) == nil { // a requested code
		others := slices.DeleteFunc(status.Deliveries, func(d accountsv1.Delivery) bool { return d.Purpose == accountsv1.PurposeCode })
		status.Deliveries = slices.Concat(others, codes, []accountsv1.Delivery{codeDelivery(status.Attempt.Number, status.OtherAddress)})
	}
	delivery.Begin(delivery.Find(status.Deliveries, claim.Name), claim.Try)
}

// Delivery returns the delivery of an Invitation with that name, or the zero value if
// there is none.
func Delivery(inv *accountsv1.Invitation, name string) accountsv1.Delivery {
	if d := delivery.Find(inv.Status.Deliveries, name); d != nil {
		return *d
	}
	return accountsv1.Delivery{}
}

// claimNewAttempt returns the claim for the first send of a new attempt.
func (f Facts) claimNewAttempt() *Claim {
	now, inv := second(f.Now), f.Invitation
	role, _ := f.Organization.Role(f.Role())
	own, membership := requests(inv, f.Membership)
	attempt := accountsv1.Attempt{
		Number:    inv.Status.Attempt.Number + 1,
		KeyID:     f.NewestKey,
		ClaimTime: now,
		// The titles could change before a retry, but the bytes must not.
		Organization:            f.Organization.Title(),
		Role:                    role.Title(),
		Language:                f.Language(),
		Sender:                  f.Sender,
		ResendRequest:           recordedRequest(own),
		MembershipResendRequest: recordedRequest(membership),
	}
	earlier := AttemptsOf(inv)
	attempt.Earlier = earlier[:min(len(earlier), maxEarlier)]
	deliveries := f.invitationDeliveries()
	claim := f.claim(deliveries[0], &attempt)
	expires := metav1.NewTime(now.Add(Validity(f.Organization)))
	claim.Deliveries, claim.ExpirationTime = deliveries, &expires
	return claim
}

// claim returns the claim for the next send of a delivery. The first send of a mail
// names its Message-ID, and its sender if that differs from the attempt's.
func (f Facts) claim(d accountsv1.Delivery, attempt *accountsv1.Attempt) *Claim {
	number := f.Invitation.Status.Attempt.Number
	if attempt != nil {
		number = attempt.Number
	}
	c := &Claim{Try: f.process().Next(d, f.Now), Attempt: attempt}
	if f.Media[d.Medium].MessageID {
		c.MessageID = fmt.Sprintf("%s.%d.%s.%d@%s", f.Invitation.UID, number, d.Name, c.Time.Unix(), f.MailDomain)
		if attempt == nil && f.Sender != f.Invitation.Status.Attempt.Sender {
			c.Sender = f.Sender
		}
	}
	return c
}

// SenderOf returns the From address that a mail about an Invitation was claimed with.
func SenderOf(inv *accountsv1.Invitation, d accountsv1.Delivery) string {
	return cmp.Or(d.Sender, inv.Status.Attempt.Sender)
}

func (f Facts) process() delivery.Process {
	return delivery.Process{ClaimOwner: f.ClaimOwner, Deadline: f.SendDeadline}
}

// Language returns the language for the messages of the next attempt: that of the
// Invitation, else that of the previous attempt, else that of the Organization.
func (f Facts) Language() accountsv1.Language {
	return cmp.Or(f.Invitation.Spec.Language, f.Invitation.Status.Attempt.Language, f.Organization.Spec.Language, "en")
}

// deliver claims the next send that is due among the deliveries for the given purposes,
// or returns how long to wait for it.
func (f Facts) deliver(purposes ...accountsv1.DeliveryPurpose) Plan {
	wanted := slices.DeleteFunc(f.deliveries(), func(d accountsv1.Delivery) bool {
		return !slices.Contains(purposes, d.Purpose) || d.Claimed() && f.Now.Sub(d.ClaimTime.Time) > retryPeriod(d.Purpose)
	})
	due, after := f.process().Due(wanted, string(f.Invitation.UID), f.Now)
	if due != nil {
		return Plan{Claim: f.claim(*due, nil)}
	}
	return Plan{After: after}
}

// retryPeriod returns how long after its first send a message is still worth sending.
// Invitations and codes end with their own validity.
func retryPeriod(purpose accountsv1.DeliveryPurpose) time.Duration {
	switch purpose {
	case accountsv1.PurposeInvitation, accountsv1.PurposeCode:
		return math.MaxInt64
	case accountsv1.PurposeConfirmation, accountsv1.PurposeJoined, accountsv1.PurposeDeclined,
		// These concern Accounts.
		accountsv1.PurposeReset, accountsv1.PurposeLocked, accountsv1.PurposeCodesLocked, accountsv1.PurposeUnlocked,
		accountsv1.PurposePasswordChanged, accountsv1.PurposeSecondFactorChanged, accountsv1.PurposeUserNames:
	}
	return noticePeriod
}

// deliveries returns the deliveries of the status. Of the codes, it returns only the latest
// requested one, whether begun or not, unless it is held. Repeating an earlier code would
// send the code that confirms the current address to an earlier recipient.
func (f Facts) deliveries() []accountsv1.Delivery {
	all := slices.DeleteFunc(slices.Clone(f.Invitation.Status.Deliveries), func(d accountsv1.Delivery) bool { return d.Purpose == accountsv1.PurposeCode })
	until, _, _ := f.codeHeld()
	if requested, is := f.RequestedCode(); is && until.IsZero() {
		all = append(all, requested)
	}
	return all
}

// linkEnds are the situations in which the current attempt's link is dead.
var linkEnds = []situation{history, alreadyJoined, accepterDeleted, foreign, mismatched, declined, undelivered, expired}

// deadLink returns the delivery whose Secret holds a dead link.
func (f Facts) deadLink(at situation) *accountsv1.Delivery {
	if !slices.Contains(linkEnds, at) {
		return nil
	}
	deliveries := f.Invitation.Status.Deliveries
	for i, d := range deliveries {
		if f.Media[d.Medium].Withdrawable && d.Claimed() && d.Result != accountsv1.DeliveryWithdrawn {
			return &deliveries[i]
		}
	}
	return nil
}

// invitationDeliveries returns the deliveries that carry the link, at least one.
func (f Facts) invitationDeliveries() []accountsv1.Delivery {
	channels := f.Invitation.Spec.Delivery
	if len(channels) == 0 {
		channels = []accountsv1.DeliveryChannel{accountsv1.ChannelEmail}
	}
	var planned []accountsv1.Delivery
	for _, c := range channels {
		d := accountsv1.Delivery{Name: strings.ToLower(string(c)), Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.Medium(c)}
		if recipient := f.Media[d.Medium].Recipient; recipient != nil {
			d.Recipient = recipient(f.Invitation)
		}
		planned = append(planned, d)
	}
	return planned
}

// afterAcceptance returns the messages about an acceptance: to the person, to the
// owners and to the chat.
func (f Facts) afterAcceptance() []accountsv1.Delivery {
	recipient := string(f.Invitation.Spec.Email)
	if f.Accepter != nil {
		recipient = string(f.Accepter.Spec.Email)
	}
	planned := []accountsv1.Delivery{{
		Name: "confirmation", Purpose: accountsv1.PurposeConfirmation, Medium: accountsv1.MediumEmail, Recipient: recipient,
		Permissions: f.Permissions,
	}}
	planned = append(planned, f.toOwners("joined.", accountsv1.PurposeJoined)...)
	if f.Chat {
		planned = append(planned, accountsv1.Delivery{
			Name: "chat", Purpose: accountsv1.PurposeJoined, Medium: accountsv1.MediumChat, Language: f.ownLanguage(),
		})
	}
	return planned
}

func (f Facts) toOwners(prefix string, purpose accountsv1.DeliveryPurpose) []accountsv1.Delivery {
	var planned []accountsv1.Delivery
	for _, o := range f.Owners[:min(len(f.Owners), maxOwners)] {
		if o.Name == f.Invitation.Name {
			continue
		}
		planned = append(planned, accountsv1.Delivery{
			Name: prefix + o.Name, Purpose: purpose, Medium: accountsv1.MediumEmail, Recipient: o.Email, Language: f.ownLanguage(),
		})
	}
	return planned
}

// ownLanguage returns the Organization's language, which Usher uses for messages to its
// members.
func (f Facts) ownLanguage() accountsv1.Language {
	if f.Organization == nil {
		return ""
	}
	return cmp.Or(f.Organization.Spec.Language, "en")
}

// withPlanned adds the planned deliveries that do not exist yet.
func withPlanned(deliveries, planned []accountsv1.Delivery) []accountsv1.Delivery {
	for _, p := range planned {
		if !slices.ContainsFunc(deliveries, func(d accountsv1.Delivery) bool { return d.Name == p.Name }) {
			deliveries = append(deliveries, p)
		}
	}
	return deliveries
}
