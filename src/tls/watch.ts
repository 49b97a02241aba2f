/**
 * Follows the files of certificates.
 *
 * They are compared by content, at intervals: that also sees what a Secret volume of Kubernetes does (a symbolic link of
 * a folder above is replaced) and what network file systems do, of which no notice comes.
 */
import type { CertificateFiles, Certificates } from './certificate-files.ts';
import { readCertificates } from './certificate-files.ts';

export interface WatchOptions<C> {
  readonly onChange: (certificates: C) => void;
  /** The files are not usable as they are, which may be because they are being written; those before stay in force. */
  readonly onProblem: (problem: string) => void;
  readonly everyMs?: number | undefined;
}

const EVERY_MS = 1_000;

/** Returns what ends it. `current` is what was read last. */
export function watchCertificates(
  files: CertificateFiles,
  current: Certificates,
  options: WatchOptions<Certificates>,
): () => void {
  return watchRead(() => readCertificates(files), current, isSamePems, options);
}

/** What belongs together of a certificate's files. */
interface Pems {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
}

/** The same for whatever is read of files. */
export function watchRead<C>(
  readAgain: () => Promise<C>,
  current: C,
  isSame: (a: C, b: C) => boolean,
  { onChange, onProblem, everyMs = EVERY_MS }: WatchOptions<C>,
): () => void {
  let inForce = current;
  let seen: string | undefined;
  let said: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;
  const look = async (): Promise<void> => {
    try {
      const read = await readAgain();
      if (isEnded) return;
      if (!isSame(read, inForce)) onChange(read);
      inForce = read;
      seen = undefined;
      said = undefined;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      // Seen once, it may be a certificate whose key is just being written.
      if (!isEnded && problem === seen && problem !== said) {
        said = problem;
        onProblem(problem);
      }
      seen = problem;
    }
  };
  const next = (): void => {
    if (isEnded) return;
    timer = setTimeout(() => void look().finally(next), everyMs);
    timer.unref();
  };
  next();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
}

export function isSamePems(a: Pems, b: Pems): boolean {
  const isSameCa = a.ca === undefined || b.ca === undefined ? a.ca === b.ca : a.ca.equals(b.ca);
  return isSameCa && a.cert.equals(b.cert) && a.key.equals(b.key);
}
