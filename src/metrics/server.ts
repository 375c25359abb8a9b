import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isLoopback, listenAt, listenText, stopServer, type Listen } from '../base/listen'
import { CONTENT_TYPE } from './text'

/** How long a client may take for its request, and an idle connection is kept, in ms. */
const SLOWEST = 5000
/** Prometheus needs one connection, and two or three scrape. */
const MOST_CONNECTIONS = 50

/** What the server answers with. */
interface Exposed {
  /** Clients send it as `Authorization: Bearer TOKEN`; `undefined`: none is asked for. */
  readonly token: string | undefined
  /** Never rejects. */
  readonly metrics: () => Promise<string>
}

/** A server that listens. */
export interface MetricsServer {
  readonly at: Listen
  stop(): Promise<void>
}

/**
 * Serves `/metrics` over HTTP.
 *
 * @throws {UserError} it cannot listen there.
 */
export async function serveMetrics(listen: Listen, exposed: Exposed): Promise<MetricsServer> {
  const server = createServer(
    {
      ...{ headersTimeout: SLOWEST, requestTimeout: SLOWEST, keepAliveTimeout: SLOWEST },
      ...{ connectionsCheckingInterval: 1000, maxHeaderSize: 8192 },
    },
    (request, response) => void answer(request, response, listen, exposed),
  )
  server.maxConnections = MOST_CONNECTIONS
  const at = await listenAt(server, listen, '[metrics] listen, or --listen')
  return { at, stop: () => stopServer(server) }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  listen: Listen,
  { token, metrics }: Exposed,
): Promise<void> {
  const { method = '', headers, url = '' } = request
  // A web page whose name leads to this address (DNS rebinding) would send its own name.
  if (isLoopback(listen) && !isOwnHost(headers.host ?? '', listen)) {
    refuse(response, 403, `Host must be this exporter: ${listenText(listen)} or localhost`)
  } else if (token !== undefined && !isToken(headers.authorization ?? '', token)) {
    response.setHeader('WWW-Authenticate', 'Bearer')
    refuse(response, 401, 'send Authorization: Bearer and the token of [metrics] token_file')
  } else if (url.split('?')[0] !== '/metrics') {
    refuse(response, 404, 'the metrics are at /metrics')
  } else if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    refuse(response, 405, 'only GET and HEAD are answered')
  } else {
    send(response, 200, CONTENT_TYPE, method === 'HEAD' ? '' : await metrics())
  }
}

function isOwnHost(host: string, { address }: Listen): boolean {
  const name = host.toLowerCase().replace(/:\d+$/, '')
  return [address, `[${address}]`, '127.0.0.1', '[::1]', 'localhost'].includes(name)
}

/** Takes the same time for every wrong token. */
function isToken(authorization: string, token: string): boolean {
  const [, given = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  send(response, status, 'text/plain; charset=utf-8', `${sentence}\n`)
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    ...{ 'Content-Type': type, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' },
    'Content-Length': Buffer.byteLength(body),
  })
  response.end(body)
}
