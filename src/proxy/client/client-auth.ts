import { createHash, timingSafeEqual } from 'node:crypto';

import type { ClientAuth } from '../../plan/routing-plan.ts';

/** Whether they open the listener; Latin-1, each character a byte. A listener whose password was never known opens to nobody. */
export function areRightCredentials(auth: ClientAuth, username: string, password: string): boolean {
  if (auth.kind !== 'password') return false;
  const expected = auth.password.bytes();
  if (expected.length === 0) return false;
  const name = Buffer.from(auth.username ?? 'default').toString('latin1');
  return name === username && isSame(expected.toString('latin1'), password);
}

/** Takes as long whichever byte differs. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
