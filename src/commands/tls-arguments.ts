/**
 * The three options of mutual TLS, which go together; and those of a proxy's listeners, whose clients may need none.
 */
import { Option, type Command } from 'commander';

import type { CertificateFiles } from '../tls/certificate-files.ts';
import { parseFile } from './arguments.ts';
import { inEnvironment } from './environment.ts';

export interface TlsArguments {
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** `whose`: the end that the certificate is of; `others`: the end that it checks. */
export function addTlsOptions(command: Command, whose: string, others: string): Command {
  return command
    .option('--tls-ca <file>', `authorities (PEM) that certificates of ${others} must be from`, parseFile)
    .option('--tls-cert <file>', `certificate (PEM) of ${whose}`, parseFile)
    .option('--tls-key <file>', `its private key (PEM)`, parseFile);
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

export interface ListenerTlsArguments {
  readonly tlsListenerCert?: string;
  readonly tlsListenerKey?: string;
  readonly tlsListenerCa?: string;
}

export interface ListenerFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

export function addListenerTlsOptions(command: Command): Command {
  const option = (name: string, what: string): Option =>
    inEnvironment(new Option(`--tls-listener-${name} <file>`, what).argParser(parseFile), {
      isEmptyWrong: true,
    });
  return command
    .addOption(option('cert', 'clients connect by TLS: certificate (PEM) of the listeners'))
    .addOption(option('key', 'its private key (PEM)'))
    .addOption(option('ca', 'authorities (PEM) that certificates of clients must be from'));
}

/** undefined: in the clear. Ends the command as wrongly called where something is missing. */
export function listenerFiles(
  command: Command,
  { tlsListenerCert: cert, tlsListenerKey: key, tlsListenerCa: ca }: ListenerTlsArguments,
): ListenerFiles | undefined {
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    command.error(
      '--tls-listener-cert and --tls-listener-key are given together; --tls-listener-ca only with both',
    );
  }
  return { cert, key, ca };
}
