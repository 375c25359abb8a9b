import type { Config } from '../../process/config'
import type { HarakaFiles } from '../../config/haraka-files'
import { ConnectorRegistry } from '../../registry/connector-registry'
import type { RedisSettings } from '../../store/settings'
import type { Store } from '../../store/store'
import { checkAlertQueues, checkContacts, checkSnoozed } from './alerts'
import { checkBlocks } from './blocks'
import { checkForwards } from './forwards'
import { checkBreadth, checkCertificates, checkMethods } from './identities'
import type { Line } from './line'
import { checkLost } from './lost'
import { checkNodes } from './nodes'
import { checkPause } from './pause'
import { checkProviders } from './providers'
import { checkRedis } from './redis'
import { checkRegistry, type RegistryCheck } from './registry'
import { checkRelayAcl } from './relay-acl'
import { checkSrsOwner } from './srs'
import { checkApplied, type FoundTenantsFile } from './tenants-file'

/** What the config directory has. */
export interface Files {
  readonly files?: HarakaFiles
  readonly tenantsFile?: FoundTenantsFile
}

/** What is checked against Redis. */
interface Against extends Files {
  readonly config: Config
  /** Leaves out what reads all tenants or all connectors. */
  readonly isLarge?: boolean
}

/**
 * Checks Redis, the processes, and the registry apart from its consistency.
 *
 * @param settings how Redis was reached.
 * @throws where Redis gave no answer.
 */
export async function checkInRedis(
  store: Store,
  settings: RedisSettings,
  { config, files, tenantsFile, isLarge = false }: Against,
): Promise<{ readonly lines: Line[]; readonly registry: RegistryCheck }> {
  const redis = await checkRedis(store, settings)
  const registry = await checkRegistry(store, config.outage.snapshot)
  if (!registry.known) return { lines: [...redis, registry.line], registry }
  const unlessLarge = (check: () => Promise<Line[]>): Promise<Line[]> =>
    isLarge ? Promise.resolve([]) : check()
  const lines = [
    ...redis,
    registry.line,
    await checkLost(store),
    ...(await checkNodes(store)),
    await checkPause(store),
    ...(tenantsFile ? await checkApplied(store, tenantsFile, config.registry) : []),
    ...(await unlessLarge(() => checkProviders(store, config.registry.neverRegister))),
    ...(await unlessLarge(() => checkConnectors(store, files, config))),
    ...(await checkAlertQueues(store, config)),
    ...(await checkSnoozed(store)),
    ...(await unlessLarge(() => checkContacts(store, config.alerts))),
    ...(await unlessLarge(() => checkForwards(config.forwarded, store))),
    ...(await checkSrsOwner(config.srs, store)),
  ]
  return { lines, registry }
}

async function checkConnectors(
  store: Store,
  files: HarakaFiles | undefined,
  config: Config,
): Promise<Line[]> {
  const connectors = await new ConnectorRegistry(store).list()
  return [
    ...checkBreadth(connectors),
    ...checkBlocks(connectors),
    ...checkMethods(connectors, files, config),
    ...(files ? checkCertificates(connectors, files) : []),
    ...(files ? checkRelayAcl(connectors, files, config.attribution.unknown) : []),
  ]
}
