import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { Alert } from '../../src/records/event'

/** A secret for test endpoints only. */
export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 'endpoint').toString('base64')}`

export interface Received {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: Alert
}

/** How an endpoint answers a request. */
export type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** A real HTTP server to which alerts are posted; it verifies each as its users do. */
export class WebhookEndpoint {
  /** Requests with a valid signature, in order. */
  readonly received: Received[] = []
  /** All requests, in order. */
  readonly posts: { readonly url: string; readonly body: string }[] = []
  /** Requests without a valid signature. */
  readonly forged: string[] = []
  answer: Answer = (response) => response.writeHead(204).end()
  private server: Server | undefined

  private constructor(readonly port: number) {}

  static async start(): Promise<WebhookEndpoint> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = new WebhookEndpoint((server.address() as AddressInfo).port)
    endpoint.serve(server)
    return endpoint
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/alerts`
  }

  /** The ids of all received alerts, with repetitions. */
  get ids(): string[] {
    return this.received.map(({ id }) => id)
  }

  /** Stops listening on the port. */
  async stop(): Promise<void> {
    const { server } = this
    this.server = undefined
    if (!server) return
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }

  async restart(): Promise<void> {
    const server = createServer().listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.serve(server)
  }

  private serve(server: Server): void {
    this.server = server
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        const body = Buffer.concat(pieces).toString()
        this.posts.push({ url: request.url ?? '', body })
        this.take(body, request.headers as Record<string, string>)
        this.answer(response, request)
      })
    })
  }

  private take(body: string, headers: Record<string, string>): void {
    try {
      const payload = new Webhook(WEBHOOK_SECRET).verify(body, headers) as Omit<Received, 'id'>
      this.received.push({ id: headers['webhook-id']!, ...payload })
    } catch (error) {
      this.forged.push(`${String(error)}: ${body}`)
    }
  }
}
