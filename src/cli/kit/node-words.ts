import type { Difference } from '../../nodes/compare'
import { duration } from './output'

// What both `nodes` and `doctor` say of processes.

/** Processes of a version before this one, or of a plugin with an old ACL. */
export function olderText(number: number): string {
  const many = number === 1 ? 'process follows' : 'processes follow'
  return `${number} more ${many} changes: older, cannot confirm, know${number === 1 ? 's' : ''} no pause`
}

/** How a process differs from the others, in words. */
export function differenceText({ what, section, key, is, others }: Difference): string {
  const name = what === 'config' ? configName(section, key) : what
  return `${name}: ${is || 'none'}, others ${others || 'none'}`
}

function configName(section: string, key: string): string {
  return section === '' ? 'configuration' : `[${section}] ${key}`
}

/** `clock 12s ahead` */
export function clockText(ms: number): string {
  return `clock ${duration(Math.abs(ms))} ${ms > 0 ? 'ahead' : 'behind'}`
}

/** `1 process` */
export function processes(number: number): string {
  return number === 1 ? '1 process' : `${number.toLocaleString('en-US')} processes`
}
