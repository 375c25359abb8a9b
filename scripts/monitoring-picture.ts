// Draws docs/monitoring.svg: the panels of monitoring/dashboard.json, with what a real Prometheus has recorded of a real
// relay. It takes four minutes.
//   npm run picture:monitoring
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ask } from './monitoring/ask'
import { drawDashboard } from './monitoring/draw'
import type { Answered, Panel } from './monitoring/panel'
import { openRelay, playDay } from './monitoring/story'
import { startPrometheus } from './services/prometheus'

const root = path.resolve(__dirname, '..')

async function main(): Promise<void> {
  const dashboard = readFileSync(path.join(root, 'monitoring/dashboard.json'), 'utf8')
  const { panels } = JSON.parse(dashboard) as { panels: Panel[] }
  const relay = await openRelay()
  const exporters = relay.exporters.map(({ port }) => port)
  const prometheus = await startPrometheus({ exporters, interval: '1s' })
  const start = Date.now() / 1000
  await playDay(relay)
  const span = { start, end: Date.now() / 1000 }
  const answered: Answered[] = []
  for (const panel of panels) answered.push(await ask(prometheus, panel, span))
  writeFileSync(path.join(root, 'docs/monitoring.svg'), await drawDashboard(answered))
}

main()
  .catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
  // exit() stops and removes everything that was started, see services/scratch.ts.
  .finally(() => process.exit())
