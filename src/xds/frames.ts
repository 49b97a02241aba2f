/**
 * Writes gRPC frames as they are, so that the same bytes serve all streams.
 *
 * grpc-js (1.14) copies each message for each stream to put five bytes before it: for a first answer of a megabyte that
 * is most of the memory and of the processor time of a thousand streams. What it offers has no way around that, so this
 * looks for the HTTP/2 stream that it writes to. Where there is none, as in a version that keeps it elsewhere, messages go
 * the long way; a test says that they do not here.
 */
import type { ServerHttp2Stream } from 'node:http2';

import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';

/** One message: a byte that says that it is not compressed, its length in four, and the message. */
export type Frame = readonly Buffer[];

const HEAD_BYTES = 5;

export interface FrameWriter {
  /** False: no more until `onDrain` calls back. */
  write(frame: Frame): boolean;
  onDrain(callback: () => void): void;
}

export function headOfFrame(messageBytes: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(messageBytes, 1);
  return head;
}

export function messageOf(frame: Frame): Buffer {
  return Buffer.concat(frame).subarray(HEAD_BYTES);
}

export function frameWriter(call: ServerDuplexStream<Buffer, Buffer>): FrameWriter {
  const stream = http2StreamOf(call);
  if (stream === undefined) {
    return {
      write: (frame) => call.write(messageOf(frame)),
      onDrain: (callback) => void call.on('drain', callback),
    };
  }
  // What becomes of the stream is told by the call.
  stream.on('error', () => {});
  return {
    write: (frame) => {
      if (stream.destroyed || stream.closed || stream.writableEnded) return false;
      if (!stream.headersSent) call.sendMetadata(new Metadata());
      const [first, ...others] = frame;
      if (first === undefined) return true;
      if (others.length === 0) return stream.write(first);
      stream.cork();
      let canWrite = stream.write(first);
      for (const piece of others) canWrite = stream.write(piece);
      stream.uncork();
      return canWrite;
    },
    onDrain: (callback) => void stream.on('drain', callback),
  };
}

/** undefined: it is not where it is in grpc-js 1.14. */
export function http2StreamOf(call: object): ServerHttp2Stream | undefined {
  const inner = 'call' in call ? call.call : undefined;
  const stream = typeof inner === 'object' && inner !== null && 'stream' in inner ? inner.stream : undefined;
  return isStream(stream) ? stream : undefined;
}

function isStream(value: unknown): value is ServerHttp2Stream {
  return typeof value === 'object' && value !== null && 'respond' in value && 'cork' in value;
}
