// Package bench runs the official scheduler_perf workloads (k8s.io/kubernetes/test/integration/scheduler_perf) with one plugin more. The
// plugin does nothing for scheduling: it says where the API server of the test is, so that an extender can watch it, and holds
// the workload back until the extender has done so.
package bench

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	_ "k8s.io/component-base/logs/json/register"
	fwk "k8s.io/kube-scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"
)

const (
	pluginName    = "Whereabouts"
	configFile    = "STOWPLAN_PERF_CONFIG"     // the workloads
	kubeconfig    = "STOWPLAN_PERF_KUBECONFIG" // written by the plugin
	readyFile     = "STOWPLAN_PERF_READY"      // waited for by the plugin
	doneFile      = "STOWPLAN_PERF_DONE"       // made by the plugin when the workload is over
	readyInterval = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	if err := perf.InitTests(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
	m.Run()
}

func BenchmarkPerfScheduling(b *testing.B) {
	registry := frameworkruntime.Registry{pluginName: newWhereabouts}
	perf.RunBenchmarkPerfScheduling(b, os.Getenv(configFile), "stowplan", registry)
}

type whereabouts struct{}

func newWhereabouts(ctx context.Context, _ runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	if err := write(handle.KubeConfig(), os.Getenv(kubeconfig)); err != nil {
		return nil, err
	}
	// The API server waits ten minutes for watches to end; whoever watches has to be told that it is over.
	context.AfterFunc(ctx, func() { _ = os.WriteFile(os.Getenv(doneFile), nil, 0o600) })
	for {
		if _, err := os.Stat(os.Getenv(readyFile)); err == nil {
			return whereabouts{}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(readyInterval):
		}
	}
}

func (whereabouts) Name() string { return pluginName }

// PostBind is there because a plugin must have an extension point.
func (whereabouts) PostBind(context.Context, fwk.CycleState, *v1.Pod, string) {}

// write puts a kubeconfig in place in one step: whoever sees the file sees all of it.
func write(config *restclient.Config, path string) error {
	document := clientcmdapi.NewConfig()
	document.Clusters["test"] = &clientcmdapi.Cluster{
		Server:                   config.Host,
		CertificateAuthorityData: config.CAData,
		CertificateAuthority:     config.CAFile,
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
	}
	document.AuthInfos["test"] = &clientcmdapi.AuthInfo{
		Token:                 config.BearerToken,
		ClientCertificateData: config.CertData,
		ClientKeyData:         config.KeyData,
	}
	document.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	document.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*document, path+".new"); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
