import type { Sent, SmtpClient } from '../services/smtp'
import { waitFor } from '../services/wait-for'
import { showCause, tellTrail, workThroughCase } from './aftermath'
import { check } from './check'
import { operatorOf } from './operator'
import type { Page } from './page'
import { users, type Server, type Stage } from './stage'

const LIMIT = 10
const PROBATION = 3
const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains'

/**
 * Plays the story of a taken-over tenant, over SMTP and with the real commands, and shows every
 * reply.
 *
 * @throws Error where the server's reply differs from the story
 */
export async function playStory({ haraka }: Pick<Stage, 'haraka'>, page: Page): Promise<void> {
  const operator = operatorOf(haraka, page)
  const session = (server: Server) => ({ auth: { user: server, password: users[server] } })
  const connect = (server: Server) => haraka.connect(session(server))

  page.chapter('Two tenants, and how their mail servers are recognised')
  page.text(
    `Contoso and Fabrikam relay their mail through this server. Each has its own domain; ` +
      `from other domains it may send to ${LIMIT} recipients an hour.`,
  )
  page.gap()
  await operator.types(`tenant add contoso --name "Contoso Ltd" --limits ${LIMIT}/1h`)
  await operator.types('domain add contoso contoso.com --subdomains')
  await operator.types('connector add contoso exchange --auth contoso-mx')
  await operator.types(`tenant add fabrikam --name "Fabrikam Inc" --limits ${LIMIT}/1h`)
  await operator.types('domain add fabrikam fabrikam.com')
  await operator.types('connector add fabrikam postfix --auth fabrikam-mx')
  await haraka.attributed(session('contoso-mx'), 'contoso/exchange', 'probe@contoso.com')
  await haraka.attributed(session('fabrikam-mx'), 'fabrikam/postfix', 'probe@fabrikam.com')

  page.chapter("Contoso's own mail passes, always and uncounted")
  let client = await connect('contoso-mx')
  await show(page, client, 'anna@contoso.com', ['bob@customer.example'], 'accepted')
  await show(page, client, 'shop@news.contoso.com', ['bob@customer.example'], 'accepted')

  page.chapter('A little from elsewhere passes too, and is counted')
  page.text('Contoso lets a conference tool send through its server.')
  page.gap()
  await show(
    page,
    client,
    'talks@conference.example',
    ['carl@customer.example', 'dora@customer.example'],
    'accepted',
  )
  await client.quit()
  page.gap()
  await operator.types('status contoso')

  page.chapter("Contoso's server is taken over, and sends spam")
  client = await connect('contoso-mx')
  for (let bank = 1; bank <= 4; bank++) {
    const victims = [`victim${2 * bank - 1}@far.example`, `victim${2 * bank}@far.example`]
    await show(page, client, `help@bank-${bank}.example`, victims, 'accepted')
  }
  page.gap()
  page.text('The allowance is used up. The next recipient trips it:')
  page.gap()
  await show(page, client, 'help@bank-5.example', ['victim9@far.example'], 'blocked')
  await client.quit()
  page.gap()
  page.text('From now on every unregistered sender is refused at MAIL, on every node:')
  page.gap()
  await refusedAtMail(page, await connect('contoso-mx'), 'pay@bank-6.example')

  page.chapter('Other mail is not affected')
  page.text('Contoso goes on sending from its own domain:')
  page.gap()
  client = await connect('contoso-mx')
  await show(page, client, 'anna@contoso.com', ['bob@customer.example'], 'accepted')
  await client.quit()
  page.gap()
  page.text('Fabrikam, the other tenant, even from an unregistered domain:')
  page.gap()
  client = await connect('fabrikam-mx')
  await show(page, client, 'eve@elsewhere.example', ['bob@customer.example'], 'accepted')
  await client.quit()

  page.chapter('What the operator sees')
  await operator.types('status contoso')
  page.gap()
  page.text('All about it on one screen; at a terminal it would ask step by step:')
  page.gap()
  await operator.types('incident contoso')
  page.gap()
  await operator.types('explain --from help@bank-7.example --auth contoso-mx')

  await showCause(operator, page)
  await workThroughCase(operator, page)

  page.chapter('The operator lifts the restriction, into probation')
  page.text(
    `For a week the allowance is ${PROBATION} recipients an hour. The alert of a second trip would say that it was on probation.`,
  )
  page.gap()
  await operator.types(
    `unblock contoso --reason "malware removed, password changed" --limits ${PROBATION}/1h --for 7d`,
  )
  page.gap()
  client = await waitFor(() => unblocked(connect))
  await show(page, client, 'talks@conference.example', ['carl@customer.example'], 'accepted')
  await client.quit()
  page.gap()
  await operator.types('status contoso')

  await tellTrail(operator, page)
  page.gap()
  tellDelivered(page, haraka.sink.messages())
}

let messages = 0

/** Sends one message and shows the dialogue. */
async function show(
  page: Page,
  client: SmtpClient,
  from: string,
  to: string[],
  outcome: 'accepted' | 'blocked',
): Promise<void> {
  const headers = { 'Message-ID': `<${++messages}.${from}>` }
  const sent: Sent = await client.send({ from, to, headers })
  page.exchange(`MAIL FROM:<${from}>`, sent.mail)
  for (const [index, reply] of sent.rcpts.entries()) page.exchange(`RCPT TO:<${to[index]}>`, reply)
  if (sent.end) page.exchange('DATA and the message', sent.end)
  if (outcome === 'accepted')
    check(sent.delivered && sent.last.positive, `${from}: ${String(sent.last)}`)
  else check(String(sent.last) === BLOCKED, `${from}: ${String(sent.last)}`)
}

/** Shows a refusal at MAIL. The restriction reaches all processes within a moment. */
async function refusedAtMail(page: Page, client: SmtpClient, from: string): Promise<void> {
  const reply = await waitFor(async () => {
    const answer = await client.mail(from)
    if (!answer.positive) return answer
    await client.rset()
    return undefined
  })
  page.exchange(`MAIL FROM:<${from}>`, reply)
  check(String(reply) === BLOCKED, `${from}: ${String(reply)}`)
  await client.quit()
}

/** A session of Contoso's server in a process that the lift has reached. */
async function unblocked(connect: (server: Server) => Promise<SmtpClient>) {
  const client = await connect('contoso-mx')
  const { positive } = await client.mail('talks@conference.example')
  if (positive) await client.rset()
  else await client.quit()
  return positive && client
}

function tellDelivered(page: Page, messages: { note: unknown; rcptTo: string[] }[]): void {
  const recipients = (tenant: string, sender: string) =>
    messages
      .filter(({ note }) => matches(note, tenant, sender))
      .reduce((sum, { rcptTo }) => sum + rcptTo.length, 0)
  const unregistered = recipients('contoso', 'unregistered')
  check(unregistered === LIMIT + 1, `${unregistered} unregistered recipients were delivered`)
  page.text(
    `The relay delivered mail to ${recipients('contoso', 'registered')} recipients from ` +
      `Contoso's own domain, to ${LIMIT} from other domains before the block and to ` +
      `${unregistered - LIMIT} after it was lifted. In between it delivered nothing from other domains.`,
  )
}

function matches(note: unknown, tenant: string, sender: string): boolean {
  const about = note as { tenant: string; class: string } | undefined
  return about?.tenant === tenant && about.class === sender
}
