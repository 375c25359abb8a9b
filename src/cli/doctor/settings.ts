import type { Config } from '../../process/config'
import {
  constrainSenderWarnings,
  denyCharsWarnings,
  type HarakaWarning,
} from '../../config/haraka-checks'
import type { HarakaFiles } from '../../config/haraka-files'
import { ok, warn, type Line } from './line'

/** Checks settings of Haraka that change our replies or refuse mail uncounted; the plugin logs the same warnings. */
export function checkHarakaSettings(files: HarakaFiles): Line[] {
  return [
    ...linesOf(
      constrainSenderWarnings(files),
      ok('constrain_sender', 'no AUTH plugin refuses unregistered senders first'),
    ),
    ...linesOf(
      denyCharsWarnings(files),
      ok('deny_chars', 'refusals go out with the enhanced status code in its place'),
    ),
  ]
}

/** Checks our own settings that leave the relay unprotected, perhaps on purpose for a while. */
export function checkOwnSettings({ main, outage }: Config): Line[] {
  const lines: Line[] = []
  if (main.override !== undefined) {
    lines.push(
      warn(
        'mode',
        `[main] override=${main.override}: nothing is refused, in any mode of a tenant`,
        'empty override in [main] of unregistered-domain.ini once the emergency is over',
      ),
    )
  } else if (main.mode === 'enforce') {
    lines.push(ok('mode', 'the default mode is enforce'))
  } else {
    lines.push(
      warn(
        'mode',
        `the default mode is ${main.mode}: tenants without a mode of their own are never refused`,
        'set mode=enforce in [main] of unregistered-domain.ini when their domains are registered',
      ),
    )
  }
  if (outage.unregistered === 'accept') {
    lines.push(
      warn(
        'outage',
        'unregistered mail passes uncounted while Redis is away',
        'set unregistered=tempfail in [outage] of unregistered-domain.ini, unless this is intended',
      ),
    )
  }
  return lines
}

function linesOf(warnings: readonly HarakaWarning[], fine: Line): Line[] {
  if (warnings.length === 0) return [fine]
  return warnings.map(({ check, message, advice }) => warn(check, message, advice))
}
