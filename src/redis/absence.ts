/**
 * Whether a reply to a read is what Redis says of a key that is not there, or of a part of it: of some commands that is
 * also what it says of a key that is there (LLEN never, STRLEN of an empty text), so that it can be a doubt only.
 */
const DOLLAR = 0x24;
const PERCENT = 0x25;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const TWO = 0x32;
const COLON = 0x3a;
const UNDERSCORE = 0x5f;
const TILDE = 0x7e;
const EQUALS = 0x3d;
const CR = 13;

const NONE = '+none\r\n';
const NO_SUCH_KEY = '-ERR no such key';
/** Neither is carried out then. */
const NO_SCRIPT = ['-NOSCRIPT No matching script', '-ERR Function not found'];

export function mayBeAbsence(bytes: Uint8Array, start: number, end: number): boolean {
  const type = bytes[start]!;
  const [first, second] = [bytes[start + 1], bytes[start + 2]];
  switch (type) {
    case UNDERSCORE:
      return true;
    case DOLLAR:
      return (first === MINUS && second === ONE) || (first === ZERO && second === CR);
    case COLON:
      return (first === ZERO && second === CR) || (first === MINUS && second === TWO);
    case PERCENT:
    case TILDE:
    case STAR:
      return (first === ZERO && second === CR) || first === MINUS || hasNothing(bytes, start, end);
    case PLUS:
      return startsWith(bytes, start, end, NONE);
    case MINUS:
      return startsWith(bytes, start, end, NO_SUCH_KEY);
    default:
      return false;
  }
}

/** Whether the error is that there is no such script or function here. */
export function isAbsentScript(bytes: Uint8Array, start: number, end: number): boolean {
  return NO_SCRIPT.some((text) => startsWith(bytes, start, end, text));
}

/** Whether an element, at any depth, is null, 0 or -2. Goes from head to head, past what is long. */
function hasNothing(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end;) {
    const type = bytes[at]!;
    const [first, second] = [bytes[at + 1], bytes[at + 2]];
    if (type === UNDERSCORE) return true;
    if (type === COLON && ((first === ZERO && second === CR) || (first === MINUS && second === TWO)))
      return true;
    if ((type === DOLLAR || type === STAR) && first === MINUS) return true;
    let length = 0;
    for (at += 1; at < end && bytes[at] !== CR; at++) length = 10 * length + bytes[at]! - ZERO;
    at += type === DOLLAR || type === EQUALS ? length + 4 : 2;
  }
  return false;
}

function startsWith(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    .subarray(0, text.length)
    .equals(Buffer.from(text, 'latin1'));
}
