// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestEverySituation(t *testing.T) {
	week := DefaultValidity
	situations{
		"nothing has happened yet": {someFacts(), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1",
		}},
		"the Organization does not exist yet": {someFacts(func(f *Facts) { f.Organization = nil }), says{
			"Sending", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", "False OrganizationNotFound", "wait",
		}},
		"the Organization is being deleted": {someFacts(func(f *Facts) { f.Organization.DeletionTimestamp = second(claimed) }), says{
			"Sending", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", "False OrganizationNotFound", "wait",
		}},
		"not in the home namespace": {someFacts(func(f *Facts) { f.Organization.Spec.Namespace = "other" }), says{
			"Failed", "False WrongNamespace Stalled", "False WrongNamespace", "False WrongNamespace", "wait",
		}},
		"another Organization holds the home namespace": {someFacts(func(f *Facts) { f.HomeTaken = true }), says{
			"Failed", "False WrongNamespace Stalled", "False WrongNamespace", "False WrongNamespace", "wait",
		}},
		"the role does not exist": {someFacts(func(f *Facts) { f.Invitation.Spec.Role = "astronaut" }), says{
			"Failed", "False RoleNotFound Stalled", "False RoleNotFound", "False RoleNotFound", "wait",
		}},
		"no policy checked the author": {someFacts(nobodyAsked), says{
			"Failed", "False PoliciesMissing Stalled", "False PoliciesMissing", "False PoliciesMissing", "wait",
		}},
		"no policy checked the author, and the link was sent": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), nobodyAsked), says{
			"Failed", "False PoliciesMissing Stalled", "False PoliciesMissing", "False PoliciesMissing", "wait",
		}},
		"no policy checked the author, and the person accepted": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, nobodyAsked), says{
			"Failed", "False PoliciesMissing Stalled", "False PoliciesMissing", "False PoliciesMissing", "wait",
		}},
		"no policy checked the author, and a resend is requested": {someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest), nobodyAsked, at(time.Hour)), says{
			"Failed", "False PoliciesMissing Stalled", "False PoliciesMissing", "False PoliciesMissing", "wait",
		}},
		"no policy checked the author, and the link expired": {someFacts(tried(me, accountsv1.DeliverySent, 1), nobodyAsked, at(week)), says{
			"Failed", "False PoliciesMissing Stalled", "False PoliciesMissing", "False PoliciesMissing", "wait",
		}},
		"no policy checked the author, and an Account already holds the Membership": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, withMembership(same), nobodyAsked, func(f *Facts) { f.Joined = true }), says{
				"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
			},
		},
		"no policy checked the author, and the Invitation is history": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Active"), accepting, nobodyAsked), says{
			"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
		}},
		"no policy checked the author, and the Invitation is being deleted": {someFacts(nobodyAsked, going), says{"", "", "", "", "wait"}},
		"no policy checked the author, and the Membership was deleted":      {someFacts(madeFor, nobodyAsked), says{"", "", "", "", "delete"}},
		"the Membership of its name is for another address": {
			someFacts(withMembership(func(m *accountsv1.Membership) { m.Spec.Email = "john@example.com" })), says{
				"Failed", "False MembershipConflict Stalled", "False MembershipConflict", "False MembershipConflict", "wait",
			},
		},
		"applied manually, and the Membership of its name has another role": {
			someFacts(withMembership(func(m *accountsv1.Membership) { m.Spec.Role = "observer" })), says{
				"Failed", "False MembershipConflict Stalled", "False MembershipConflict", "False MembershipConflict", "wait",
			},
		},
		"applied manually, and the Membership of its name allows more": {
			someFacts(withMembership(allowing)), says{
				"Failed", "False MembershipConflict Stalled", "False MembershipConflict", "False MembershipConflict", "wait",
			},
		},
		"created by Usher, and its Membership now has another role and allows more": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), withMembership(func(m *accountsv1.Membership) {
				m.Spec.Role = "observer"
				allowing(m)
			}), madeFor), says{
				"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
			},
		},
		"no key can sign links": {someFacts(func(f *Facts) { f.KeyFault = "the link keys are empty" }), says{
			"Failed", "False LinkKeysInvalid Stalled", "False LinkKeysInvalid", "False LinkKeysInvalid", "wait 1m0s",
		}},
		"the key is lost, and the link was sent": {someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.KeyFault = "gone" }), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"the link was sent, and the Organization was deleted": {someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.Organization = nil }), says{
			"Pending", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", "False OrganizationNotFound", "wait",
		}},
		"the link was sent": {someFacts(tried(me, accountsv1.DeliverySent, 1)), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"the last second of its validity": {someFacts(tried(me, accountsv1.DeliverySent, 1), at(week-time.Second)), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 1s",
		}},
		"expired": {someFacts(tried(me, accountsv1.DeliverySent, 1), at(week)), says{
			"Expired", "True Expired", "False Expired", "False Expired", "wait",
		}},
		"expired before any channel sent it": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 9), at(week)), says{
			"Failed", "False TemporaryFailure Stalled", "False NotAccepted", "False TemporaryFailure", "wait",
		}},
		"expired, and the result of the send is unknown": {someFacts(tried(other, "", 1), at(week)), says{
			"Failed", "False TemporaryFailure Stalled", "False NotAccepted", "False TemporaryFailure", "wait",
		}},
		"expired, and one of two channels sent it": {
			someFacts(by("Email", "SMS"), tried(me, accountsv1.DeliverySent, 1), delivered("email", "TemporaryFailure"), at(week)), says{
				"Expired", "True Expired", "False Expired", "False Expired", "wait",
			},
		},
		"accepted, without a Membership": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting), says{
			"Pending", "", "", "", "create Membership",
		}},
		"accepted, while the Account joins the Membership": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, withMembership(same)), says{
				"Pending", "", "", "", "wait",
			},
		},
		"accepted, and the Membership of its name is for another address": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, withMembership(func(m *accountsv1.Membership) { m.Spec.Email = "john@example.com" })),
			says{"Failed", "False MembershipConflict Stalled", "False MembershipConflict", "False MembershipConflict", "wait"},
		},
		"accepted in time, and carried out after the expiry": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, at(week)), says{
			"Pending", "", "", "", "create Membership",
		}},
		"accepted by an Account that was deleted": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, func(f *Facts) { f.Accepter = nil }), says{
				"Failed", "False AccountNotFound Stalled", "False AccountNotFound", "False AccountNotFound", "wait",
			},
		},
		"accepted, and an Account holds the Membership": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, withMembership(same), func(f *Facts) { f.Joined = true }), says{
				"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
			},
		},
		"an Account holds the Membership, and the status was lost": {someFacts(withMembership(same), func(f *Facts) { f.Joined = true }), says{
			"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
		}},
		"history, and the Membership was deleted": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Active"), accepting), says{
			"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
		}},
		"created for a Membership that was deleted": {someFacts(madeFor), says{"", "", "", "", "delete"}},
		"created for an earlier Membership of that name": {
			someFacts(madeFor, withMembership(func(m *accountsv1.Membership) { m.UID = "m2" })), says{"", "", "", "", "delete"},
		},
		"created for a Membership": {someFacts(madeFor, withMembership(same)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1",
		}},
		"created for a suspended Membership": {someFacts(madeFor, withMembership(suspends)), says{
			"Sending", "True Suspended", "False Suspended", "False Suspended", "wait",
		}},
		"the mail server failed temporarily, and the Membership was suspended": {
			someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1), withMembership(suspends)),
			says{"Sending", "True Suspended", "False Suspended", "False Suspended", "wait 168h0m0s"},
		},
		"the link was sent, and the Membership was suspended": {someFacts(tried(me, accountsv1.DeliverySent, 1), withMembership(suspends)), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"declined": {someFacts(tried(me, accountsv1.DeliverySent, 1), declining), says{
			"Declined", "True Declined", "False Declined", "False Declined", "wait",
		}},
		"an address of a domain that is not allowed": {
			someFacts(func(f *Facts) { f.Organization.Spec.AllowedDomains = []accountsv1.DomainName{"example.org"} }),
			says{"Failed", "False AddressNotAllowed Stalled", "False AddressNotAllowed", "False AddressNotAllowed", "wait"},
		},
		"an address of a denied domain, and the link was sent": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.com"} }),
			says{"Failed", "False AddressNotAllowed Stalled", "False AddressNotAllowed", "False AddressNotAllowed", "wait 168h0m0s"},
		},
		"an address of a denied domain": {
			someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"EXAMPLE.com"} }),
			says{"Failed", "False AddressNotAllowed Stalled", "False AddressNotAllowed", "False AddressNotAllowed", "wait"},
		},
		"an address that already belongs to a member": {
			someFacts(func(f *Facts) { f.AddressConflict = AddressConflict{Reason: "AddressIsMember", Name: "jane-2"} }),
			says{"Failed", "False AddressIsMember Stalled", "False AddressIsMember", "False AddressIsMember", "wait"},
		},
		"accepted by an Account of another address": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, func(f *Facts) { f.Accepter.Spec.Email = "eve@example.org" }), says{
				"Failed", "False AddressMismatch Stalled", "False AddressMismatch", "False AddressMismatch", "wait",
			},
		},
		"accepted by an Account of another legal entity": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, elsewhere),
			says{"Failed", "False LegalEntityMismatch Stalled", "False LegalEntityMismatch", "False LegalEntityMismatch", "wait"},
		},
		"accepted by an Account of another legal entity and another address": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, elsewhere, func(f *Facts) { f.Accepter.Spec.Email = "eve@example.org" }),
			says{"Failed", "False LegalEntityMismatch Stalled", "False LegalEntityMismatch", "False LegalEntityMismatch", "wait"},
		},
		"accepted by an Account of another legal entity, and its Membership exists": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, elsewhere, withMembership(same)),
			says{"Failed", "False LegalEntityMismatch Stalled", "False LegalEntityMismatch", "False LegalEntityMismatch", "wait"},
		},
		"accepted by an Account of another legal entity, and expired": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, elsewhere, at(week)),
			says{"Failed", "False LegalEntityMismatch Stalled", "False LegalEntityMismatch", "False LegalEntityMismatch", "wait"},
		},
		"accepted by an Account of another legal entity, and a resend is requested": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, elsewhere, asked(aRequest)),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2"},
		},
		"the Account holds the Membership, and its Organizations now belong to two legal entities": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, elsewhere, withMembership(same), func(f *Facts) { f.Joined = true }),
			says{"Active", "True Accepted", "True Accepted", "False Accepted", "wait"},
		},
		"accepted by an Account of another address, where any address is allowed": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, func(f *Facts) {
				f.Accepter.Spec.Email, f.Organization.Spec.AddressMatch = "eve@example.org", accountsv1.AddressMatchAnyAddress
				f.Accepter.Status.EmailVerifiedTime = second(claimed)
			}),
			says{"Pending", "", "", "", "create Membership"},
		},
		"accepted by an Account of another, unproved address, where any address is allowed": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, func(f *Facts) {
				f.Accepter.Spec.Email, f.Organization.Spec.AddressMatch = "eve@example.org", accountsv1.AddressMatchAnyAddress
			}),
			says{"Failed", "False AddressMismatch Stalled", "False AddressMismatch", "False AddressMismatch", "wait"},
		},
		"accepted with a link from a Secret by an Account that was created elsewhere and has no proof": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, func(f *Facts) {
				f.Invitation.Status.Deliveries[0].Medium = accountsv1.MediumLink
			}),
			says{"Failed", "False AddressMismatch Stalled", "False AddressMismatch", "False AddressMismatch", "withdraw email"},
		},
		"accepted with a link from a Secret by an Account whose address is proved": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, func(f *Facts) {
				f.Invitation.Status.Deliveries[0].Medium = accountsv1.MediumLink
				f.Accepter.Annotations = map[string]string{accountsv1.EmailVerifiedAnnotation: "2026-11-01T00:00:00Z"}
			}),
			says{"Pending", "", "", "", "create Membership"},
		},
		"accepted with a link from a Secret by the Account that was created with it": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, func(f *Facts) {
				f.Invitation.Status.Deliveries[0].Medium = accountsv1.MediumLink
				f.Accepter.Spec.InvitationRef.UID = string(f.Invitation.UID)
			}),
			says{"Pending", "", "", "", "create Membership"},
		},
		"being deleted": {someFacts(func(f *Facts) { f.Invitation.DeletionTimestamp = second(claimed) }), says{"", "", "", "", "wait"}},
	}.check(t)
}

func TestHowLongAnInvitationIsValid(t *testing.T) {
	for seconds, want := range map[int32]time.Duration{0: 7 * 24 * time.Hour, 60: time.Minute, 2592000: 30 * 24 * time.Hour} {
		f := someFacts(func(f *Facts) { f.Organization.Spec.InvitationValiditySeconds = seconds })
		step(&f, accountsv1.DeliverySent)
		if got := f.Invitation.Status.ExpirationTime.Sub(f.Now); got != want {
			t.Errorf("with %d seconds, it is valid for %s", seconds, got)
		}
	}
}

// suspends makes the Membership a suspended one for the same person.
func suspends(m *accountsv1.Membership) {
	same(m)
	m.Spec.State = accountsv1.MembershipSwitchSuspended
}
