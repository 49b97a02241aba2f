/**
 * Requests to the API server: one answer as JSON, or lines as they come.
 *
 * The client library knows who we are (tokens that are renewed, plugins, authorities, proxies); the transport is Node's
 * own, because the library's watches stop for good on errors that pass, and none of its time limits can be set.
 */
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps, type RequestOptions } from 'node:https';

import type { KubeConfig } from '@kubernetes/client-node';

import { ApiError } from './api-error.ts';
import { jsonAsYaml } from './json-as-yaml.ts';

export type Query = Readonly<Record<string, string | undefined>>;

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** What the server, or an admission webhook, has to say of a request that it took. */
  readonly onWarning?: (text: string) => void;
}

export interface Lines {
  /** The answer has begun. */
  readonly onOpen?: () => void;
  /** Called with each line, in order; throws into `ended` what it throws. */
  readonly onLine: (line: string) => void;
  /** Without a byte for that long the connection counts as dead. */
  readonly silenceMs: number;
}

/** Until the answer begins. */
const HEADERS_MS = 30_000;
/** Until a whole answer is there. */
const ANSWER_MS = 60_000;
/** An object may have 1.5 MiB in etcd, and more as JSON. */
const LONGEST_LINE = 16 * 1024 * 1024;
/** Finds peers that are gone while nothing is sent. */
const KEEP_ALIVE_MS = 15_000;
const MOST_CONNECTIONS = 10;
const USER_AGENT = 'redpilot';
const APPLY = 'application/apply-patch+yaml';

export class ApiServer {
  readonly #config: KubeConfig;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #closed = new AbortController();

  constructor(config: KubeConfig) {
    this.#config = config;
    this.#url = new URL(config.getCurrentCluster()?.server ?? '');
    const options = { keepAlive: true, maxSockets: MOST_CONNECTIONS };
    this.#agent = this.#url.protocol === 'http:' ? new HttpAgent(options) : new HttpsAgent(options);
  }

  /** Where it is, for messages. */
  get address(): string {
    return this.#url.host;
  }

  /** What is not answered yet fails, and so does what is asked from now on. */
  close(): void {
    this.#closed.abort();
    this.#agent.destroy();
  }

  /** The answer's body; an ApiError where its status is not 2xx. */
  async request(path: string, options: ApiRequest = {}): Promise<unknown> {
    const limits = [AbortSignal.timeout(ANSWER_MS), this.#closed.signal];
    const signal = AbortSignal.any([...limits, ...(options.signal === undefined ? [] : [options.signal])]);
    const response = await this.#open(path, { ...options, signal }, false);
    for (const warning of warningsIn(response.headers['warning'])) options.onWarning?.(warning);
    const text = await textOf(response);
    return parseJson(text);
  }

  /** Resolves when the server has ended the answer; fails when it broke, went silent or was given up. */
  async lines(path: string, options: ApiRequest, { onOpen, onLine, silenceMs }: Lines): Promise<void> {
    const response = await this.#open(path, options, true);
    onOpen?.();
    await new Promise<void>((resolve, reject) => {
      let rest = '';
      const give = (error: Error): void => {
        clearTimeout(timer);
        response.destroy();
        reject(error);
      };
      const timer = setTimeout(() => give(new ApiError(0, 'Silent', 'the connection is silent')), silenceMs);
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        timer.refresh();
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        try {
          for (const line of lines) if (line !== '') onLine(line);
          if (rest.length > LONGEST_LINE)
            throw new ApiError(0, 'TooLong', 'an object is too long to be read');
        } catch (error) {
          give(error instanceof Error ? error : new Error(String(error)));
        }
      });
      // Node says `aborted` of a connection that was reset.
      response.on('error', (error: NodeJS.ErrnoException) => {
        give(error.code === 'ECONNRESET' ? new ApiError(0, 'Cut', 'the connection was cut') : error);
      });
      response.on('end', () => {
        clearTimeout(timer);
        resolve();
      });
      response.on('close', () => give(new ApiError(0, 'Cut', 'the connection was cut')));
    });
  }

  /** Resolves when the answer begins; its own connection where asked, since a stalled one must not stall others. */
  async #open(path: string, options: ApiRequest, alone: boolean): Promise<IncomingMessage> {
    const { method = 'GET', body, contentType = 'application/json', signal } = options;
    const url = new URL(this.#url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const credentials: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(credentials);
    const isProxied = this.#config.getCurrentCluster()?.proxyUrl !== undefined;
    const write = contentType === APPLY ? jsonAsYaml : JSON.stringify;
    const bytes = body === undefined ? undefined : Buffer.from(write(body));
    const headers = {
      ...(credentials.headers as Readonly<Record<string, string>> | undefined),
      accept: 'application/json',
      'user-agent': USER_AGENT,
      ...(bytes === undefined ? {} : { 'content-type': contentType, 'content-length': bytes.length }),
    };
    const request = url.protocol === 'http:' ? requestHttp : requestHttps;
    const agent = alone ? false : this.#agent;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request(url, {
        ...credentials,
        ...(isProxied ? {} : { agent }),
        method,
        headers,
        ...(signal === undefined ? {} : { signal }),
      });
      const limit = setTimeout(
        () => asked.destroy(new ApiError(0, 'NoAnswer', 'there is no answer')),
        HEADERS_MS,
      );
      asked.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      asked.on('response', (answer) => {
        clearTimeout(limit);
        resolve(answer);
      });
      asked.on('error', (error) => {
        clearTimeout(limit);
        reject(error);
      });
      asked.end(bytes);
    });
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw ApiError.of(status, parseJson(await textOf(response)), response.headers['retry-after']);
  }
}

/** `299 - "text"`, several joined by commas. */
function warningsIn(header: string | string[] | undefined): readonly string[] {
  const found = [header ?? []]
    .flat()
    .join(', ')
    .matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return Array.from(found, ([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** A proxy may answer in HTML. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
