// The story of a taken-over tenant, on a real Redis and a real Haraka:
//   npm run demo
//   npm run demo -- --keep    leaves the server up afterwards, with a web console, until Ctrl-C
import { parseArgs } from 'node:util'
import { explainKeep, openConsole, showLink } from './demo/keep'
import { Page } from './demo/page'
import { closeStage, openStage } from './demo/stage'
import { playStory } from './demo/story'

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })
  const page = new Page(process.stdout)
  page.title('A mail relay that stops a taken-over tenant')
  page.text(
    'All of this is real: a Redis and a Haraka on free ports of this machine, in a scratch folder. ' +
      'Left: the commands of a mail server of the tenant; right: the replies of the relay.',
  )
  const stage = await openStage()
  const console = values.keep ? await openConsole(stage) : undefined
  if (console) await showLink(console, page)
  await playStory(stage, page)
  if (console) {
    explainKeep(stage, page)
    await showLink(console, page)
    await untilStopped()
  }
  page.gap()
  page.text(
    'With --keep the servers stay up, with a web console that shows all of it in a browser.',
  )
  await closeStage(stage)
  page.text('All servers have been stopped.')
}

/** Runs until Ctrl-C ends the process. */
function untilStopped(): Promise<void> {
  return new Promise(() => setInterval(() => {}, 60_000))
}

// exit() stops and removes everything that was started, see services/scratch.ts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143))
}
main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`\n${message}\n`)
  process.exit((error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1)
})
