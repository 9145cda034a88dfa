// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store"
)

// NewClient returns a fake API server with the portal's indexes. It assigns UIDs.
func NewClient(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme, err := sharedScheme()
	if err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&accountsv1.Invitation{}, &accountsv1.Account{})
	if err := store.SetupIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	var created atomic.Int64
	return builder.WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			obj.SetUID(types.UID(fmt.Sprintf("made-%d", created.Add(1))))
			return c.Create(ctx, obj, opts...)
		},
	}).Build()
}

// sharedScheme takes longer to build than most tests run, so all tests share it.
var sharedScheme = sync.OnceValues(func() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(accountsv1.AddToScheme(scheme), corev1.AddToScheme(scheme))
})

type indexer struct{ builder *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	i.builder.WithIndex(obj, field, extract)
	return nil
}
