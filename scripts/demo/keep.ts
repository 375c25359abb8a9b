import path from 'node:path'
import { startConsole, type TestConsole } from '../services/console'
import type { Page } from './page'
import { users, type Stage } from './stage'

/** Starts the web console of the stage. */
export function openConsole({ redis }: Stage): Promise<TestConsole> {
  return startConsole({ redis: { host: '127.0.0.1', port: redis.port } })
}

/** Prints a link that signs in to it. */
export async function showLink(console: TestConsole, page: Page): Promise<void> {
  page.text('Watch it in a browser. This link signs you in, once and within ten minutes:')
  page.lines(await console.link('admin'))
}

/** Prints how to connect to the server that stays up. */
export function explainKeep({ haraka }: Stage, page: Page): void {
  const { port, dir } = haraka
  const user = 'contoso-mx'
  const password = users[user]
  const plain = Buffer.from(`\0${user}\0${password}`).toString('base64')
  const program = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')

  page.title('The server stays up until Ctrl-C')
  page.text('With swaks:')
  page.lines(
    `swaks --server 127.0.0.1:${port} --auth PLAIN --auth-user ${user} --auth-password ${password} \\`,
    `  --from me@elsewhere.example --to you@far.example`,
  )
  page.text('By hand:')
  page.lines(
    `nc 127.0.0.1 ${port}`,
    'EHLO me.example',
    `AUTH PLAIN ${plain}`,
    'MAIL FROM:<me@elsewhere.example>',
    'RCPT TO:<you@far.example>',
    'QUIT',
  )
  page.text("The operator's side, in another terminal:")
  const commands = ['top', 'status contoso', 'block contoso --reason test', 'doctor', '--help']
  page.lines(`cd ${dir}`, ...commands.map((command) => `node ${program} ${command}`))
  page.gap()
}
