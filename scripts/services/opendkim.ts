import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePort, listens } from './port'
import { scratchDir } from './scratch'
import { Service } from './service'
import { findTool } from './tools'
import { waitFor } from './wait-for'

/** The signed domain, and its key. */
export interface StartOpenDkimOptions {
  readonly domain: string
  readonly selector: string
  /** RSA, as PEM. */
  readonly privateKey: string
}

/** A running OpenDKIM that signs. */
export interface TestOpenDkim {
  /** The line of main.cf that makes a Postfix sign with it. */
  readonly mainCf: string
  stop(): Promise<void>
}

/**
 * Starts a real OpenDKIM as a signer for one domain, on a free loopback port. It ends with stop(), and always with
 * this process.
 *
 * @throws Error with its output, when it does not listen
 */
export async function startOpenDkim(options: StartOpenDkimOptions): Promise<TestOpenDkim> {
  const { domain, selector, privateKey } = options
  const program = findTool('opendkim')
  const dir = scratchDir('opendkim')
  writeFileSync(path.join(dir, 'key.pem'), privateKey, { mode: 0o600 })
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const config = `Domain ${domain}
Selector ${selector}
KeyFile ${dir}/key.pem
Socket inet:${port}@127.0.0.1
Mode s
Canonicalization relaxed/relaxed
SignatureAlgorithm rsa-sha256
Background no
# Our scratch folders are below /tmp.
RequireSafeKeys no
Syslog no
`
    writeFileSync(path.join(dir, 'opendkim.conf'), config)
    const args = ['-f', '-x', path.join(dir, 'opendkim.conf')]
    const service = new Service({ command: program, args, cwd: dir })
    await waitFor(async () => service.ended || (await listens(port)))
    if (!service.ended) {
      return {
        mainCf: `smtpd_milters = inet:127.0.0.1:${port}\n`,
        stop: () => service.kill(),
      }
    }
    // Another process took the port first.
    if (attempt === 5) throw new Error(`OpenDKIM has ended: ${service.log}`)
  }
}
