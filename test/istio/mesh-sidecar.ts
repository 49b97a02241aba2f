/**
 * A real Envoy in the place of istio-proxy, connected to an istiod in plain text.
 */
import { startEnvoy, type EnvoyProcess } from '../../src/demo/envoy-process.ts';

export async function startMeshSidecar(options: {
  readonly envoy: string;
  readonly istiodPort: number;
  readonly namespace: string;
}): Promise<EnvoyProcess> {
  const { envoy, istiodPort, namespace } = options;
  return startEnvoy({
    binary: envoy,
    waitUntilReady: false,
    configuration: (path) => ({
      node: {
        id: `sidecar~127.0.0.1~client.${namespace}~${namespace}.svc.cluster.local`,
        cluster: `client.${namespace}`,
        metadata: {
          NAMESPACE: namespace,
          CLUSTER_ID: 'Kubernetes',
          ISTIO_VERSION: '1.31.0',
          INSTANCE_IPS: '127.0.0.1',
          LABELS: { app: 'client' },
        },
      },
      admin: { address: { pipe: { path } } },
      dynamic_resources: {
        ads_config: {
          api_type: 'DELTA_GRPC',
          transport_api_version: 'V3',
          set_node_on_first_message_only: true,
          grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
        },
        cds_config: { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' },
        lds_config: { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' },
      },
      static_resources: { clusters: [http2Cluster('xds-grpc', istiodPort), http2Cluster('sds-grpc', 1)] },
    }),
  });
}

/** `sds-grpc` is where istio-proxy gets certificates from its agent; here nobody answers. */
function http2Cluster(name: string, port: number): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
          ],
        },
      ],
    },
  };
}
