// Loads the plugin for a long time and shows whether anything grows: npm run soak -- --help
import { Command, InvalidArgumentError } from 'commander'
import { describeMachine } from '../machine'
import { present } from '../report'
import { sectionsOf } from './rows'
import { soak, type Plan } from './run'

const ROUNDS_A_MINUTE = 4

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on')
  return Number(text)
}

const program = new Command('npm run soak --')
  .description(
    'Loads a Haraka with the plugin as much as the machine can, and shows whether anything fails or grows. It starts ' +
      'all that it needs and uses no network. Table, numbers and pictures also go to bench/results/performance/soak/. ' +
      'The status is 1 if anything failed, or a target was missed.',
  )
  .argument('[minutes]', 'how long it measures', wholeNumber, 2)
  .option('--seed <number>', 'what is sent when', wholeNumber, 1)
  .option('--publish', 'also writes docs/performance/soak/', false)
  .parse()

async function main(): Promise<boolean> {
  const [minutes] = program.processedArgs as [number]
  const { seed, publish } = program.opts<{ seed: number; publish: boolean }>()
  const plan: Plan = {
    ...{ seed, tenants: 50, sessions: 200, workers: 2, warmUp: 15_000 },
    rounds: minutes * ROUNDS_A_MINUTE,
    // With the measurement of memory a quarter of a minute.
    slice: 14_000,
    roundsAnEpisode: ROUNDS_A_MINUTE,
    allowance: 200,
    // As shipped.
    commandTimeout: 500,
  }
  const startedAt = new Date()
  const machine = describeMachine()
  const found = await soak(plan, (step) => console.error(`soak: ${step}`))
  const sections = sectionsOf(found, plan)
  const about = { command: `npm run soak -- ${minutes}`, quick: false, machine, sections }
  const seconds = (Date.now() - startedAt.getTime()) / 1_000
  const results = { ...about, startedAt: startedAt.toISOString(), seconds }
  await present(results, 'performance/soak', publish ? 'figures.md' : undefined)
  for (const failure of found.failures) console.error(failure)
  return sections.every(({ rows }) => rows.every(({ target }) => target?.met !== false))
}

main().then(
  (met) => process.exit(met ? 0 : 1),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
