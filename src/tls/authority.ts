/**
 * A certificate authority of our own, for places that have none: P-256 keys, everything as PEM.
 */
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** When a certificate is valid. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface KeyPair {
  /** PEM, one certificate. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface Authority extends KeyPair {
  /** `hosts`: DNS names and IP addresses under which clients reach it. */
  issueServer(hosts: readonly string[], validity: Validity): Promise<KeyPair>;
  /** For a client whose namespace and name the SPIFFE name `uri` says. */
  issueClient(uri: string, validity: Validity): Promise<KeyPair>;
}

/** Clocks of other machines may be behind. */
const BACKDATED_MS = 60_000;

const DAY_MS = 86_400_000;

export function validFor(days: number, now = new Date()): Validity {
  return {
    notBefore: new Date(now.getTime() - BACKDATED_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  };
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** A third of the time that the program takes to start, and needed by one command only. */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

/** Its name holds random digits, so that two authorities are never taken for each other. */
export async function createAuthority(validity: Validity): Promise<Authority> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: [{ CN: [`redpilot CA ${randomBytes(4).toString('hex')}`] }],
    serialNumber: serialNumber(),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return await openAuthority({
    certificate: pem(certificate.toString('pem')),
    key: await keyPem(keys.privateKey),
  });
}

/** Throws where the two are not a certificate and its key. */
export async function openAuthority({ certificate, key }: KeyPair): Promise<Authority> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(certificate);
  const privateKey = createPrivateKey(key);
  if (!new X509Certificate(certificate).checkPrivateKey(privateKey))
    throw new Error('the key is of another certificate');
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);

  const issue = async (
    commonName: string,
    usage: string,
    names: ConstructorParameters<typeof x509.SubjectAlternativeNameExtension>[0],
    validity: Validity,
  ): Promise<KeyPair> => {
    const keys = await generateKeys();
    const issued = await x509.X509CertificateGenerator.create({
      ...validity,
      subject: [{ CN: [commonName] }],
      issuer: issuer.subject,
      serialNumber: serialNumber(),
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ],
    });
    return { certificate: pem(issued.toString('pem')), key: await keyPem(keys.privateKey) };
  };

  return {
    certificate,
    key,
    issueServer: async (hosts, validity) => {
      const names = hosts.map((host) => ({
        type: isIP(host) !== 0 ? ('ip' as const) : ('dns' as const),
        value: host,
      }));
      return await issue('redpilot server', SERVER_AUTH, names, validity);
    },
    issueClient: async (uri, validity) =>
      await issue('redpilot client', CLIENT_AUTH, [{ type: 'url', value: uri }], validity),
  };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** 127 random bits: unique without a register, positive as RFC 5280 wants it. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}

function pem(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
