// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// acmeMember returns the objects of a person with a password who belongs to Acme. The
// Account has a UID for which a link can be made.
func acmeMember(t *testing.T, name string, changes ...func(*accountsv1.Account, *account.Credentials)) []client.Object {
	t.Helper()
	withUID := func(a *accountsv1.Account, _ *account.Credentials) { a.UID = types.UID(uidOf(name)) }
	objects := personWithPassword(t, name, slices.Insert(changes, 0, withUID)...)
	return append(objects, &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: storetest.Home, Name: name},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Role: "developer",
			Email: objects[0].(*accountsv1.Account).Spec.Email,
		},
	})
}

func uidOf(name string) string {
	return fmt.Sprintf("%08x-0000-4000-8000-000000000000", crc32.ChecksumIEEE([]byte(name)))
}

func withAddress(email string) func(*accountsv1.Account, *account.Credentials) {
	return func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.Email = accountsv1.EmailAddress(email) }
}

func askedAt(times ...time.Time) func(*accountsv1.Account, *account.Credentials) {
	return func(a *accountsv1.Account, _ *account.Credentials) {
		for _, each := range times {
			a.Status.ResetTimes = append(a.Status.ResetTimes, metav1.NewTime(each))
			a.Status.UserNameTimes = append(a.Status.UserNameTimes, metav1.NewTime(each))
		}
	}
}

func switchedOff(a *accountsv1.Account, _ *account.Credentials) {
	a.Spec.State = accountsv1.AccountSwitchDisabled
}

func lockedNow(a *accountsv1.Account, _ *account.Credentials) {
	failed := metav1.NewTime(storetest.Start.Add(-time.Minute))
	a.Status.SignIn = accountsv1.SignIn{Failures: 5, CodeFailures: 2, FailureTime: &failed, Locks: 3}
}

func incomplete(a *accountsv1.Account, c *account.Credentials) {
	delete(a.Annotations, accountsv1.MembershipsAnnotation)
	c.FinalInvitation = ""
}

func onItsWay(a *accountsv1.Account, _ *account.Credentials) {
	now := metav1.NewTime(storetest.Start)
	a.DeletionTimestamp, a.Finalizers = &now, []string{accountsv1.Finalizer}
}

func resetRequest(typed string) url.Values { return url.Values{fieldSignInName: {typed}} }

func namesRequest(typed string) url.Values { return url.Values{fieldAddress: {typed}} }

// worlds returns a function that creates one world after another, like
// worldWith. All share the same pages, which take long to parse. A new world
// replaces the one before.
func worlds(t *testing.T) func(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := worldWith(t)
	behind := &replaceable{w.Client}
	w.config.Reader, w.config.Live, w.config.Writer = behind, behind, behind
	w.build()
	config, handler := w.config, w.handler
	return func(t *testing.T, objects ...client.Object) *world {
		t.Helper()
		w.T, w.config, w.handler = t, config, handler
		w.Client = storetest.NewClient(t, append([]client.Object{storetest.Acme(), storetest.Jane()}, objects...)...)
		behind.WithWatch = w.Client
		w.Clock.SetTime(storetest.Start)
		w.logs.text.Reset()
		return w
	}
}

// replaceable is a client that can be replaced.
type replaceable struct{ client.WithWatch }

// meddle puts an interceptor between the portal of one of several worlds and its
// API server, without a new portal.
func (w *world) meddle(funcs interceptor.Funcs) {
	w.T.Helper()
	w.config.Live.(*replaceable).WithWatch = interceptor.NewClient(w.Client, funcs)
}

// down is an API server that does not answer.
var down = interceptor.Funcs{
	Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return storetest.ErrDown
	},
	Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
		return storetest.ErrDown
	},
	Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
		return storetest.ErrDown
	},
	SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
		return storetest.ErrDown
	},
}

// times returns the times of a status as texts.
func times(all []metav1.Time) []string {
	var texts []string
	for _, each := range all {
		texts = append(texts, each.UTC().Format(time.DateTime))
	}
	return texts
}

// resetTimes returns the times at which a link for an Account was requested.
func (w *world) resetTimes(name string) []string {
	w.T.Helper()
	return times(w.Account(name).Status.ResetTimes)
}

// withDamagedSecret damages the Secret among the objects.
func withDamagedSecret(t *testing.T, objects []client.Object) []client.Object {
	t.Helper()
	for _, each := range objects {
		if secret, ok := each.(*corev1.Secret); ok {
			secret.Data["credentials"] = []byte("not what Usher wrote")
			return objects
		}
	}
	t.Fatal("there is no Secret")
	return nil
}

// otherPassword is another valid password, of 25 characters.
const otherPassword = "copper-lantern hazel moss"

// newPasswords returns a form with a new password, typed twice. again replaces
// the second one.
func newPasswords(chosen string, again ...string) url.Values {
	return url.Values{fieldNewPassword: {chosen}, fieldNewPasswordAgain: {append(again, chosen)[0]}}
}

// resetPath returns the path of the link for an Account that was requested at a
// time.
func (w *world) resetPath(name string, requested time.Time) string {
	w.T.Helper()
	return w.resetPathOf(uidOf(name), requested)
}

func (w *world) resetPathOf(uid string, requested time.Time) string {
	w.T.Helper()
	text, err := account.DeriveResetLink(w.ResetKeys, uid, requested)
	w.Must(err)
	return "/reset/" + text
}

func withTOTP(_ *accountsv1.Account, c *account.Credentials) {
	c.TOTP = account.TOTP{Secret: "JBSWY3DPEHPK3PXP", LastStep: 7, AddedTime: storetest.Start.Add(-time.Hour)}
	c.RecoveryCodes = []string{"hash of a recovery code"}
	c.UsedChallenges = []account.UsedChallenge{{Hash: "used", Expires: storetest.Start.Add(time.Minute)}}
}

// reportedTOTP is withTOTP, and the status reports it.
func reportedTOTP(a *accountsv1.Account, c *account.Credentials) {
	withTOTP(a, c)
	a.Status.TwoFactor = accountsv1.TwoFactorEnrolled
}

// unsettled gives credentials the state that they have if the portal died before it made
// them final, while the controller continued.
func unsettled(_ *accountsv1.Account, c *account.Credentials) {
	c.FinalInvitation, c.PasswordTime = "", time.Time{}
}

// worldWithResetLink is a world in which Jane requested a link just now.
func worldWithResetLink(t *testing.T, changes ...func(*accountsv1.Account, *account.Credentials)) *world {
	t.Helper()
	return worlds(t)(t, janes(t, changes...)...)
}

// janes returns the objects of Jane in a world of its own, where she requested a
// link just now.
func janes(t *testing.T, changes ...func(*accountsv1.Account, *account.Credentials)) []client.Object {
	t.Helper()
	return acmeMember(t, "jane", append(slices.Clone(changes), askedAt(storetest.Start))...)
}

func with(changes ...func(*accountsv1.Account, *account.Credentials)) []func(*accountsv1.Account, *account.Credentials) {
	return changes
}

// beforeWriting calls do before the first write of a Secret. If failure is not
// nil, the write fails with it.
func (w *world) beforeWriting(do func(), failure error) {
	var once sync.Once
	w.meddle(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			err := error(nil)
			if _, isSecret := obj.(*corev1.Secret); isSecret {
				once.Do(func() { do(); err = failure })
			}
			if err != nil {
				return err
			}
			return c.Update(ctx, obj, opts...)
		},
	})
}
