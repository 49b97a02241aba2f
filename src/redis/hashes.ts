/**
 * The two 64-bit hashes that Envoy's Maglev places by: MurmurHash2 (64A) for keys, XXH64 for hosts.
 *
 * In BigInt: hosts are hashed when a table is built, keys only where plain servers are sharded.
 */
const MASK = 0xffff_ffff_ffff_ffffn;

/** As libstdc++'s `std::hash<std::string>` has it. */
const MURMUR_SEED = 0xc70f_6907n;
const MURMUR_M = 0xc6a4_a793_5bd1_e995n;

export function murmurHash64(bytes: Uint8Array): bigint {
  const words = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = MURMUR_SEED ^ ((BigInt(bytes.length) * MURMUR_M) & MASK);
  let at = 0;
  for (; at + 8 <= words.length; at += 8) {
    const mixed = mixMurmur((words.readBigUInt64LE(at) * MURMUR_M) & MASK);
    hash = ((hash ^ ((mixed * MURMUR_M) & MASK)) * MURMUR_M) & MASK;
  }
  if (at < words.length) {
    let rest = 0n;
    for (let end = words.length - 1; end >= at; end--) rest = (rest << 8n) | BigInt(words[end]!);
    hash = ((hash ^ rest) * MURMUR_M) & MASK;
  }
  return mixMurmur((mixMurmur(hash) * MURMUR_M) & MASK);
}

function mixMurmur(value: bigint): bigint {
  return value ^ (value >> 47n);
}

const P1 = 0x9e37_79b1_85eb_ca87n;
const P2 = 0xc2b2_ae3d_27d4_eb4fn;
const P3 = 0x1656_67b1_9e37_79f9n;
const P4 = 0x85eb_ca77_c2b2_ae63n;
const P5 = 0x27d4_eb2f_1656_67c5n;

export function xxHash64(bytes: Buffer, seed: bigint): bigint {
  let at = 0;
  let hash: bigint;
  if (bytes.length >= 32) {
    const lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        lanes[lane] = xxRound(lanes[lane]!, bytes.readBigUInt64LE(at + 8 * lane));
      }
    }
    const [a = 0n, b = 0n, c = 0n, d = 0n] = lanes;
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & MASK;
    for (const lane of lanes) hash = ((hash ^ xxRound(0n, lane)) * P1 + P4) & MASK;
  } else {
    hash = (seed + P5) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ xxRound(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes[at]!) * P5) & MASK), 11n) * P1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

function xxRound(lane: bigint, word: bigint): bigint {
  return (rotate((lane + word * P2) & MASK, 31n) * P1) & MASK;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}
