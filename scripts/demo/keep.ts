import path from 'node:path'
import { startConsole } from '../services/console'
import type { Page } from './page'
import { users, type Stage } from './stage'

/** Starts a web console, and prints how to reach it and the server that stays up. */
export async function explainKeep({ haraka, redis }: Stage, page: Page): Promise<void> {
  const console = await startConsole({ redis: { host: '127.0.0.1', port: redis.port } })
  const { port, dir } = haraka
  const user = 'contoso-mx'
  const password = users[user]
  const plain = Buffer.from(`\0${user}\0${password}`).toString('base64')
  const program = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')

  page.title('The server stays up until Ctrl-C')
  page.text(
    'The web console shows all of it live. This link signs you in, once and within ten minutes:',
  )
  page.lines(await console.link('admin'))
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
