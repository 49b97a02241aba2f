/**
 * The three options of mutual TLS, which go together.
 */
import type { Command } from 'commander';

import type { CertificateFiles } from '../tls/certificate-files.ts';

export interface TlsArguments {
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** `whose`: the end that the certificate is of; `others`: the end that it checks. */
export function addTlsOptions(command: Command, whose: string, others: string): Command {
  return command
    .option('--tls-ca <file>', `authorities (PEM) that certificates of ${others} must be from`)
    .option('--tls-cert <file>', `certificate (PEM) of ${whose}`)
    .option('--tls-key <file>', `its private key (PEM)`);
}

/** undefined: no TLS. Ends the command as wrongly called where only some are given. */
export function tlsFiles(
  command: Command,
  { tlsCa, tlsCert, tlsKey }: TlsArguments,
): CertificateFiles | undefined {
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined) {
    command.error(
      '--tls-ca, --tls-cert and --tls-key are given together or not at all; redpilot certs makes all three',
    );
  }
  return { ca: tlsCa, cert: tlsCert, key: tlsKey };
}
