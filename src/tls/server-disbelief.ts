/**
 * Why a client of ours does not believe the certificate that a server shows, with what to do: from the words of Node and
 * OpenSSL, which libraries hand on in sentences of their own.
 */

const OTHER_NAME =
  /does not match certificate's altnames: .*? is not (?:in the cert's (?:altnames|list): ?|cert's CN: )(.*?)\.?$/;

/** `host`: what it was asked as. undefined: the text is about something else. */
export function serverDisbelief(text: string, host: string): string | undefined {
  const names = OTHER_NAME.exec(text)?.[1];
  if (names !== undefined) {
    const other = names === '' ? '' : `, but for ${names}`;
    return `its certificate is not for ${host}${other}; ask it by a name of its certificate, or give it one for this name (redpilot certs --force --server-name ${host})`;
  }
  if (/certificate has expired/.test(text)) return 'its certificate has ended; renew it';
  if (/certificate is not yet valid/.test(text))
    return 'its certificate is not valid yet; look at the clocks of both';
  if (/self-signed certificate|unable to (?:get|verify)/.test(text))
    return 'its certificate is from an authority that is not in --tls-ca; give the ca.crt that came with it';
  return undefined;
}
