import { once } from 'node:events'
import type { Socket } from 'node:net'
import dns2 from 'dns2'

/** Records of one name. `fail`: the server says SERVFAIL; `silent`: it never answers. */
export interface Zone {
  readonly mx?: readonly string[]
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  /** Each one is a record. */
  readonly txt?: readonly string[]
  readonly trouble?: 'fail' | 'silent'
}

/** The longest string of a TXT record (RFC 1035 §3.3.14). */
const STRING = /[^]{1,255}/g

/**
 * A DNS server on the loopback that answers for these names, and NXDOMAIN for all others; by UDP, and by TCP where
 * the answer is too long.
 */
export class TestDns {
  /** Each question, as `MX contoso.com`; one repeated by TCP appears twice. */
  readonly asked: string[] = []
  /** The most questions that waited for an answer at once. */
  most = 0
  #open = 0
  readonly #server = dns2.createUDPServer()
  readonly #streams = dns2.createTCPServer()

  private constructor(private readonly zones: Readonly<Record<string, Zone>>) {
    const onRequest: dns2.DnsHandler = (request, send) => {
      this.most = Math.max(this.most, ++this.#open)
      // A turn later, so that simultaneous questions overlap.
      setImmediate(() => {
        this.#open--
        const response = this.#answer(request)
        if (response) void send(response)
      })
    }
    this.#server.on('request', onRequest)
    this.#streams.on('request', onRequest)
    // A client that gives up closes its connection.
    this.#streams.on('connection', (socket: Socket) => socket.on('error', () => {}))
  }

  static async start(zones: Readonly<Record<string, Zone>>): Promise<TestDns> {
    for (let attempt = 1; ; attempt++) {
      const dns = new TestDns(zones)
      dns.#server.bind(0, '127.0.0.1')
      await once(dns.#server, 'listening')
      try {
        dns.#streams.listen(dns.#server.address().port, '127.0.0.1')
        await once(dns.#streams, 'listening')
        return dns
      } catch (error) {
        // A port that is free for UDP may be in use for TCP.
        dns.#server.close()
        if (attempt === 5 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      }
    }
  }

  /** The address for `tenantctl suggest --dns`. */
  get address(): string {
    return `127.0.0.1:${this.#server.address().port}`
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#streams.close()
    await Promise.all([once(this.#server, 'close'), once(this.#streams, 'close')])
  }

  #answer(request: dns2.Packet): dns2.Packet | undefined {
    const { Packet } = dns2
    const response = Packet.createResponseFromRequest(request)
    const [question] = request.questions
    const name = question!.name.toLowerCase()
    const kind = (['A', 'MX', 'TXT', 'AAAA'] as const).find(
      (each) => Packet.TYPE[each] === question!.type,
    )
    this.asked.push(`${kind} ${name}`)
    const zone = this.zones[name]
    if (zone?.trouble === 'silent') return undefined
    if (!zone) response.header.rcode = 3
    if (zone?.trouble === 'fail') response.header.rcode = 2
    const add = (type: number, rest: Partial<dns2.Packet.Resource>): void => {
      response.answers.push(
        Object.assign(new Packet.Resource(name, type, Packet.CLASS.IN, 60), rest),
      )
    }
    if (kind === 'A') for (const address of zone?.a ?? []) add(Packet.TYPE.A, { address })
    if (kind === 'AAAA') {
      for (const address of zone?.aaaa ?? []) add(Packet.TYPE.AAAA, { address })
    }
    if (kind === 'MX') {
      for (const exchange of zone?.mx ?? []) {
        // A null MX (RFC 7505) is `.` with the preference 0.
        add(Packet.TYPE.MX, { exchange, priority: exchange === '.' ? 0 : 10 })
      }
    }
    if (kind === 'TXT') {
      for (const text of zone?.txt ?? []) add(Packet.TYPE.TXT, { data: text.match(STRING) ?? [''] })
    }
    return response
  }
}
