/**
 * Names whose addresses change, as those of headless Services do: whoever in this process connects to one, or looks it up,
 * finds what it stands for at that moment.
 */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

type Tell = (error: Error | null, found: string | LookupAddress[], family?: number) => void;

const names = new Map<string, () => readonly string[]>();

function addressesOf(name: string): LookupAddress[] | undefined {
  return names
    .get(name)?.()
    .map((address) => ({ address, family: 4 }));
}

function notFound(name: string): Error {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
}

const { lookup } = dns;
const lookupLater = dns.promises.lookup.bind(dns.promises);

Object.assign(dns, {
  lookup(name: string, options: LookupOptions, tell: Tell): void {
    const found = addressesOf(name);
    if (found === undefined) return lookup(name, options, tell);
    const [first] = found;
    process.nextTick(() => {
      if (first === undefined) tell(notFound(name), []);
      else if (options.all === true) tell(null, found);
      else tell(null, first.address, first.family);
    });
  },
});
Object.assign(dns.promises, {
  async lookup(name: string, options: LookupOptions): Promise<LookupAddress | LookupAddress[]> {
    const found = addressesOf(name);
    if (found === undefined) return await lookupLater(name, options);
    const [first] = found;
    if (first === undefined) throw notFound(name);
    return options.all === true ? found : first;
  },
});
syncBuiltinESMExports();

/** Until it is forgotten. */
export function nameStandsFor(name: string, addresses: () => readonly string[]): void {
  names.set(name, addresses);
}

export function forgetName(name: string): void {
  names.delete(name);
}
