/**
 * How much of one client is taken in, under way, and kept for it.
 */

/** A command, as a whole. */
export const MAX_REQUEST_BYTES = 1_073_741_824;
/**
 * A client with more commands under way is not read from until half of them are answered. It begins with few, twice as many
 * at each turn that brought replies, fewer at each that brought much: how large replies are nobody knows before, and what
 * others ask over the same connection waits behind them.
 */
export const MAX_PENDING = 1_024;
export const FIRST_PENDING = 4;
/** Of replies in one turn. */
export const MUCH_BYTES = 262_144;
/** A client that has not taken so much of its replies is not read from. */
export const MAX_UNREAD_BYTES = 1_048_576;
/** What a client may send ahead while it waits for a blocking command. */
export const MAX_UNWORKED_BYTES = 1_048_576;
/** A client of whose commands or late replies so much is kept is looked at again when all are answered. */
export const MAX_KEPT_BYTES = 1_048_576;
/** So many answers of our own, and others have their turn: of what Redis answers no more than MAX_PENDING are under way. */
export const MAX_ANSWERED = 256;
/** Longer replies that wait behind others are made one at a time. */
export const LONG_REPLY_BYTES = 16_384;
/** As much leaves at once, whole or not. */
export const HELD_BACK_BYTES = 8_192;
/** As Redis has it for subscribers. */
export const MAX_PUSHED_BYTES = 33_554_432;
