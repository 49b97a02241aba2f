/**
 * What each field means and what holds without it, by kind and path; types and bounds come from the parsers.
 *
 * docs/fields.md is made of both (`npm run fields`), and a test holds the three together.
 */
export interface Meaning {
  readonly means: string;
  /** What holds where the field is left out; absent: nothing. */
  readonly without?: string;
}

const REQUIRED = 'required';

const auth = (where: string, whose: string): Readonly<Record<string, Meaning>> => ({
  [where]: { means: `${whose}: either \`plain\` or \`secret\``, without: 'no password' },
  [`${where}.plain`]: { means: 'the password itself' },
  [`${where}.plain.password`]: { means: 'white space around it is cut off', without: REQUIRED },
  [`${where}.plain.username`]: { means: 'where Redis has users' },
  [`${where}.secret`]: { means: 'the password in a Secret, which is followed when it changes' },
  [`${where}.secret.name`]: {
    means: "a Secret of the object's own namespace, of type `Opaque` or `kubernetes.io/basic-auth`",
    without: REQUIRED,
  },
  [`${where}.secret.passwordField`]: {
    means: 'its field with the password',
    without: '`password`, else `token`',
  },
  [`${where}.secret.usernameField`]: {
    means: 'its field with the user name',
    without: '`username` if it is there',
  },
});

const RULE = 'spec.redis[]';
const MIRROR = `${RULE}.mirror[]`;
const FAULT = 'spec.faults[]';
const ANNOTATION = (name: string): string => `metadata.annotations["redpilot.dev/${name}"]`;

export const REDIS_SERVICE: Readonly<Record<string, Meaning>> = {
  'spec.host': {
    means:
      'the hosts whose clients this object governs; `name`, `name.namespace`, `name.namespace.svc` and the full name are one host',
    without: REQUIRED,
  },
  'spec.settings': { means: 'how commands are treated' },
  'spec.settings.readPolicy': { means: 'which nodes answer reads, in every route', without: '`MASTER`' },
  'spec.settings.opTimeout': {
    means:
      'how long an answer may take before the client gets an error; in the proxy, of the node that was asked: waiting for one that can be asked has a limit of its own (`--failover-wait`)',
    without: '`5s`',
  },
  'spec.settings.enableRedirection': {
    means:
      'follow MOVED and ASK; `false` beside another policy than `MASTER` is a warning, since Envoy takes some writes for reads',
    without: 'on where a route leads to a Redis Cluster, else off',
  },
  'spec.settings.caseInsensitive': {
    means: 'prefixes match without regard to case (ASCII); the key keeps its own',
    without: '`false`',
  },
  'spec.settings.enableHashtagging': {
    means:
      'only what stands between `{` and `}` decides where a key is, on plain servers too; in a Redis Cluster it always does',
    without: '`false`',
  },
  'spec.settings.enableCommandStats': {
    means:
      'Envoy counts each command of each upstream; the proxy each command by name, of all listeners together',
    without: '`false`',
  },
  'spec.settings.maxBufferSizeBeforeFlush': {
    means:
      'requests are gathered up to so many bytes; 0: each is sent at once. No effect in the proxy (its log says so): it gathers what is ready anyway, and holds nothing back for it',
    without: '0',
  },
  'spec.settings.bufferFlushTimeout': {
    means: 'how long they are gathered at most; only beside maxBufferSizeBeforeFlush',
    without: '`3ms`',
  },
  'spec.settings.maxUpstreamUnknownConnections': {
    means:
      'how many connections redirections may open to nodes that no topology names; no effect in the proxy (its log says so), which closes them 10 s after the last redirection',
    without: "Envoy's limit, 100",
  },
  ...auth('spec.settings.auth', 'what clients must present'),
  'spec.redis': { means: 'the routes', without: "everything goes to the listener's own host and port" },
  [`${RULE}.match`]: {
    means: 'which keys; without it, or with an empty prefix: all that no other route takes',
  },
  [`${RULE}.match.key`]: { means: 'by key' },
  [`${RULE}.match.key.prefix`]: { means: 'keys that begin so; the longest prefix wins, at most 1,000 bytes' },
  [`${RULE}.match.key.removePrefix`]: { means: 'Redis sees the key without the prefix', without: '`false`' },
  [`${RULE}.route`]: { means: 'where the commands go', without: REQUIRED },
  [`${RULE}.route.host`]: { means: 'a Service, a DNS name or an IP address', without: REQUIRED },
  [`${RULE}.route.port`]: {
    means: 'its port',
    without: "the listener's if the host has it, else the host's only Redis port",
  },
  [`${RULE}.route.reads`]: {
    means:
      'ours: where reads go, for one primary and its replicas that are not a Redis Cluster; in what order says the read policy',
    without: 'reads go where writes go',
  },
  [`${RULE}.route.reads.host`]: { means: 'the replicas', without: REQUIRED },
  [`${RULE}.route.reads.port`]: { means: 'their port', without: 'as for `route.port`' },
  [`${RULE}.mirror`]: { means: 'copies of the commands, whose replies are thrown away' },
  [`${MIRROR}.route`]: { means: 'where the copies go; not where the commands go', without: REQUIRED },
  [`${MIRROR}.route.host`]: { means: 'a Service, a DNS name or an IP address', without: REQUIRED },
  [`${MIRROR}.route.port`]: { means: 'its port', without: 'as for `route.port`' },
  [`${MIRROR}.percentage`]: { means: 'how many of the commands are copied', without: 'all' },
  [`${MIRROR}.percentage.value`]: {
    means: 'below 100, transactions are refused on this listener; 0: no mirror',
    without: REQUIRED,
  },
  [`${MIRROR}.excludeReadCommands`]: { means: 'writes only', without: '`false`' },
  'spec.faults': { means: 'delays and errors that are made on purpose' },
  [`${FAULT}.type`]: {
    means: 'a delay after the answer of Redis, or an error instead of a command',
    without: '`DELAY`',
  },
  [`${FAULT}.percentage`]: { means: 'how many of the commands', without: 'all' },
  [`${FAULT}.percentage.value`]: { means: 'Envoy cuts it to whole percents', without: REQUIRED },
  [`${FAULT}.delay`]: { means: 'how long', without: 'required for `DELAY`' },
  [`${FAULT}.commands`]: { means: 'which commands; of modules too', without: 'all but AUTH and PING' },
  [ANNOTATION('listen')]: {
    means:
      '`ADDRESS:PORT`, or `HOST[:PORT]=ADDRESS:PORT,…` for several: where listeners listen; beyond loopback only with `--allow-bind`',
    without: 'at `serve --bind`, with the port of the host',
  },
  [ANNOTATION('export-to')]: {
    means:
      '`*`, or namespaces joined by commas, `.` for its own: whose clients an object in the namespace of its host governs',
    without: '`*`, or `serve --default-export-to`',
  },
  [ANNOTATION('protocol')]: {
    means: '`RESP2` or `RESP3`: what clients speak to Envoy, which serves one of the two',
    without: '`RESP2`',
  },
  [ANNOTATION('zone-affinity')]: {
    means:
      '`"true"`: with `PREFER_REPLICA` and `ANY`, nodes of the zone of the Envoy (`bootstrap --zone`) or the proxy (`proxy --zone`) come first; in the proxy with `REPLICA` too',
    without: '`"false"`',
  },
  [ANNOTATION('guards')]: {
    means: '`"off"`: Envoy gets no guards ([Envoy](differences-from-envoy.md#guards))',
    without: '`"on"`',
  },
  [ANNOTATION('istio-namespaces')]: {
    means:
      'namespaces joined by commas, or `*` for the whole mesh: whose sidecars carry it out too, as far as `serve --istio-namespaces` allows ([Istio](istio.md))',
    without: "its own namespace's only",
  },
  [ANNOTATION('istio-secrets')]: {
    means:
      '`inline` or `file`: how passwords of Secrets get to sidecars, readable in EnvoyFilters or from files that are mounted into istio-proxy ([Istio](istio.md#passwords))',
    without: 'they do not: what needs one is closed',
  },
  [ANNOTATION('istio-port-wide')]: {
    means:
      '`"true"`: sidecars of its own namespace take every connection to the port of a host without a virtual address, whatever it is to ([Istio](istio.md))',
    without: '`"false"`',
  },
};

const POLICY = 'spec.trafficPolicy';
const POOL = `${POLICY}.connectionPool`;

export const REDIS_DESTINATION: Readonly<Record<string, Meaning>> = {
  'spec.host': { means: 'the host this is about', without: REQUIRED },
  [POLICY]: { means: 'how it is reached' },
  [POOL]: { means: 'connections' },
  [`${POOL}.redis`]: { means: 'what stands there' },
  [`${POOL}.redis.mode`]: {
    means: 'a Redis Cluster (`CLUSTER`), or plain servers over which keys are spread (`PROXY`)',
    without: 'what the host says of itself ([modes](modes.md))',
  },
  [`${POOL}.redis.discoveryEndpoints`]: {
    means:
      'which nodes of a Redis Cluster are asked first: `host`, `host:port`, `ip:port`, `[v6]:port`; a Service in any form, as in `spec.host`, other names in full',
    without: "the host's name; for a Service without selector the addresses of its EndpointSlices",
  },
  ...auth(`${POOL}.redis.auth`, 'what is presented to Redis'),
  [`${POOL}.tcp`]: { means: 'limits' },
  [`${POOL}.tcp.maxConnections`]: {
    means:
      'connections of one upstream, 0: no limit; Envoy keeps to none (a warning). In the proxy a blocking command, a subscription or a transaction, which needs one of its own, waits for it, at most `--failover-wait`; the shared ones, eight a node at most, are always made, and count',
    without: 'no limit',
  },
  [`${POOL}.tcp.connectTimeout`]: {
    means: 'how long a connection to a node may take; in the proxy, the TLS handshake included',
    without: '`500ms` for a Redis Cluster, else `2s`',
  },
  [`${POOL}.tcp.tcpKeepalive`]: {
    means:
      'probes on idle connections; `{}`: as the kernel has it. In the proxy always on: after 30 s, 10 probes, 1 s apart, where nothing else is said; before Node 26 only the time can be set (the log says so)',
    without: 'none',
  },
  [`${POOL}.tcp.tcpKeepalive.probes`]: {
    means: 'unanswered probes until a connection is given up',
    without: "the kernel's",
  },
  [`${POOL}.tcp.tcpKeepalive.time`]: {
    means: 'idle time before the first, in whole seconds up to 32767',
    without: "the kernel's",
  },
  [`${POOL}.tcp.tcpKeepalive.interval`]: {
    means: 'time between two, in whole seconds up to 32767',
    without: "the kernel's",
  },
  [`${POLICY}.tls`]: {
    means: 'ours: TLS towards Redis, for commands, discovery and health checks ([TLS](redis-tls.md))',
    without: 'plaintext',
  },
  [`${POLICY}.tls.mode`]: { means: '`MUTUAL`: a certificate is presented too', without: REQUIRED },
  [`${POLICY}.tls.secret`]: {
    means: 'certificates in a Secret, which is followed when it changes',
    without: "the system's authorities; required for `MUTUAL`",
  },
  [`${POLICY}.tls.secret.name`]: {
    means: "a Secret of the object's own namespace with `ca.crt`, and for `MUTUAL` `tls.crt` and `tls.key`",
    without: REQUIRED,
  },
  [`${POLICY}.tls.serverName`]: {
    means: 'what the certificate must be for, a DNS name or an IP address; a name is also asked for (SNI)',
    without: "the host's full name",
  },
  [`${POLICY}.tls.insecureSkipVerify`]: { means: 'believe whoever answers', without: '`false`' },
};
