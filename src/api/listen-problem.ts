/**
 * Why an address can't be listened on, as a clause that follows it.
 */

/** Below it a port needs a right (Linux: `net.ipv4.ip_unprivileged_port_start`, by default). */
const FIRST_FREE_PORT = 1_024;

export function listenProblem({ code, message }: NodeJS.ErrnoException, port: number): string {
  if (code === 'EADDRINUSE') return 'is in use by another process';
  if (code === 'EACCES' && port < FIRST_FREE_PORT)
    return "can't be listened on (EACCES: ports below 1024 need root, or CAP_NET_BIND_SERVICE)";
  if (code === 'EADDRNOTAVAIL') return "can't be listened on (EADDRNOTAVAIL: it is not this machine's)";
  return `can't be listened on (${code ?? message})`;
}
