import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './port'
import {
  logFile,
  mailboxDir,
  makePostfixSite,
  writeMasterCf,
  type StartPostfixOptions,
} from './postfix-site'
import { Service } from './service'
import { SmtpClient, type Mail, type Sent } from './smtp'
import { findTool } from './tools'
import { waitFor } from './wait-for'

export type { StartPostfixOptions } from './postfix-site'

const run = promisify(execFile)

/** The reason that no Postfix can run here, for `skip` of a test; false where one can. */
export const noPostfix: string | false =
  process.getuid?.() === 0 ? false : 'Postfix starts only as root, and drops its rights itself.'

/** One of its programs. */
function postfixTool(name: string): string {
  return path.join(path.dirname(findTool('postfix')), name)
}

/** A message in the queue of a Postfix (postqueue(1), -j). */
export interface PostfixQueueEntry {
  /** `deferred`: it was tried, and will be tried again. */
  queue_name: string
  queue_id: string
  sender: string
  recipients: { address: string; delay_reason?: string }[]
}

/**
 * Starts a real Postfix as a tenant's server, on a free loopback port, with its own configuration, queue and
 * mailboxes; it changes nothing of the system's. It ends with stop(), and always with this process.
 *
 * @throws Error with the log, when it does not start
 */
export async function startPostfix(options: StartPostfixOptions = {}): Promise<TestPostfix> {
  const site = makePostfixSite(options)
  const { stdout } = await run(postfixTool('postconf'), ['-dh', 'daemon_directory'])
  const master = path.join(stdout.trim(), 'master')
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    writeMasterCf(site, port)
    const service = new Service({
      command: master,
      args: ['-c', path.join(site, 'config'), '-s'],
      cwd: site,
    })
    const postfix = new TestPostfix(site, port, service)
    try {
      await postfix.waitForLog(/daemon started/)
      return postfix
    } catch (error) {
      await service.kill()
      // Another process took the port first.
      const taken = (error as Error).message.includes('Address already in use')
      if (!taken || attempt === 5) throw error
    }
  }
}

/** A running Postfix. */
export class TestPostfix {
  constructor(
    /** Its folder, with `config`, `queue` and `mail`. */
    readonly dir: string,
    readonly port: number,
    private readonly service: Service,
  ) {}

  /** Its log. */
  get log(): string {
    return readFileSync(logFile(this.dir), 'utf8')
  }

  /**
   * Waits for a log line; `from` is an earlier `log.length`.
   *
   * @throws Error with the log, when the time is over or it has ended
   */
  async waitForLog(pattern: RegExp, { from = 0 } = {}): Promise<RegExpMatchArray> {
    const find = () => this.log.slice(from).match(pattern)
    await waitFor(() => this.service.ended || find(), { timeout: 60_000 }).catch(() => {})
    const found = find()
    if (found) return found
    const log = `${this.service.log}${this.log}`.split('\n').slice(-60).join('\n')
    throw new Error(`Postfix has not logged ${String(pattern)}:\n${log}`)
  }

  /** A session of a user, an application or a server outside, after EHLO. */
  connect(): Promise<SmtpClient> {
    return SmtpClient.open({ port: this.port })
  }

  /**
   * Submits one message, and returns Postfix's reply.
   *
   * @throws Error when it was not accepted
   */
  async submit(mail: Mail): Promise<Sent> {
    const client = await this.connect()
    const sent = await client.send(mail)
    await client.quit()
    if (!sent.delivered) throw new Error(`Postfix answered ${String(sent.last)}`)
    return sent
  }

  /** The messages in the mailbox of an address, as written. */
  mailbox(address: string): string[] {
    const folder = path.join(mailboxDir(this.dir, address), 'new')
    if (!existsSync(folder)) return []
    return readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'utf8'))
  }

  /** Waits for a matching message in the mailbox of an address. */
  waitForMail(address: string, fits: (text: string) => boolean = () => true): Promise<string> {
    return waitFor(() => this.mailbox(address).find(fits), {
      what: `mail for ${address} in its mailbox: ${String(fits)}`,
      timeout: 60_000,
    })
  }

  /** Its queue. */
  async queue(): Promise<PostfixQueueEntry[]> {
    const lines = (await this.#postqueue('-j')).split('\n').filter(Boolean)
    return lines.map((line) => JSON.parse(line) as PostfixQueueEntry)
  }

  /** Waits until a message of this sender was tried and deferred. */
  waitForDeferred(sender: string): Promise<PostfixQueueEntry> {
    const deferred = (entry: PostfixQueueEntry) =>
      entry.queue_name === 'deferred' && entry.sender === sender
    return waitFor(async () => (await this.queue()).find(deferred), {
      what: `mail of ${sender} in the deferred queue`,
      timeout: 60_000,
    })
  }

  /** Waits until its queue is empty. */
  async waitForEmptyQueue(): Promise<void> {
    await waitFor(async () => (await this.queue()).length === 0, {
      what: 'the queue of Postfix is empty',
      timeout: 60_000,
    })
  }

  /** Retries the whole queue now, like an administrator (`postqueue -f`). */
  async flush(): Promise<void> {
    await this.#postqueue('-f')
  }

  async stop(): Promise<void> {
    await this.service.kill()
  }

  async #postqueue(option: string): Promise<string> {
    const config = path.join(this.dir, 'config')
    return (await run(postfixTool('postqueue'), ['-c', config, option])).stdout
  }
}
