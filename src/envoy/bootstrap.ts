/**
 * The bootstrap of a sidecar: how an Envoy finds the control plane and what it tells it about itself.
 */
import { isIP } from 'node:net';

import { duration, socketAddress } from './address.ts';
import { any } from './codec.ts';
import { toJson } from './json.ts';
import { nodeMessage } from './node.ts';
import { type SidecarTls, tlsSocket } from './bootstrap-tls.ts';
import type { Bootstrap } from './protos/envoy/config/bootstrap/v3/Bootstrap.ts';
import type { ConfigSource } from './protos/envoy/config/core/v3/ConfigSource.ts';

const XDS_CLUSTER = 'redpilot-xds';

export interface BootstrapOptions {
  readonly xdsAddress: { readonly host: string; readonly port: number };
  readonly nodeId: string;
  /** undefined: everything that the control plane serves from files. */
  readonly namespace?: string | undefined;
  readonly hosts?: readonly string[] | undefined;
  /** Where this node's listeners listen; undefined: as the control plane says. */
  readonly bind?: string | undefined;
  /** For policies that prefer nodes of the reader's zone. */
  readonly zone?: string | undefined;
  /** How long Envoy drains old connections; the control plane keeps what they use for as long. */
  readonly drainSeconds: number;
  /** Delta xDS instead of the state of the world. */
  readonly delta: boolean;
  /** Envoy's own admin: a Unix socket, since applications share the sidecar's loopback, or an address. */
  readonly admin: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** undefined: in the clear. */
  readonly tls?: SidecarTls | undefined;
}

/** As JSON that `envoy --config-path` takes. */
export function bootstrap(options: BootstrapOptions): object {
  const { xdsAddress, nodeId, namespace, hosts, bind, zone, drainSeconds, delta, admin, tls } = options;
  const overAds: ConfigSource = { ads: {}, resource_api_version: 'V3' };
  const message: Bootstrap = {
    node: nodeMessage({ id: nodeId, namespace, hosts, bind, zone, drainSeconds }),
    admin: {
      address:
        'socketPath' in admin
          ? { pipe: { path: admin.socketPath, mode: 0o600 } }
          : socketAddress(admin.host, admin.port),
    },
    dynamic_resources: {
      ads_config: {
        api_type: delta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        // The node's description is long, and the control plane keeps it.
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: XDS_CLUSTER } }],
      },
      cds_config: overAds,
      lds_config: overAds,
    },
    static_resources: {
      clusters: [
        {
          name: XDS_CLUSTER,
          type: isIP(xdsAddress.host) === 0 ? 'STRICT_DNS' : 'STATIC',
          connect_timeout: duration(1_000),
          ...(tls === undefined ? {} : { transport_socket: tlsSocket(tls, xdsAddress.host) }),
          load_assignment: {
            cluster_name: XDS_CLUSTER,
            endpoints: [
              { lb_endpoints: [{ endpoint: { address: socketAddress(xdsAddress.host, xdsAddress.port) } }] },
            ],
          },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any(
              'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              {
                explicit_http_config: {
                  // Finds a control plane that is gone without a word.
                  http2_protocol_options: {
                    connection_keepalive: { interval: duration(30_000), timeout: duration(10_000) },
                  },
                },
              },
            ),
          },
        },
      ],
    },
  };
  return toJson('envoy.config.bootstrap.v3.Bootstrap', message);
}
