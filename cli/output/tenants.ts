/** Tenants, tokens and plans as tables. */
import { formatSize } from '../../src/model/resources.ts';
import type { TenantCard, TenantPlanRow, TenantRow, TokenRow } from '../wire.ts';
import { ago } from './age.ts';
import type { Screen } from './screen.ts';
import { type Column, renderTable } from './table.ts';
import { oneLine } from './text.ts';

const tenantColumns: readonly Column<TenantRow>[] = [
  { title: 'NAME', cell: tenant => oneLine(tenant.name) },
  { title: 'PLAN', cell: tenant => oneLine(tenant.plan) },
];

export const renderTenants = (tenants: readonly TenantRow[], screen: Screen): string =>
  renderTable(tenantColumns, tenants, screen);

interface LimitRow {
  readonly name: string;
  readonly used: string;
  readonly limit: string;
}

const limitColumns: readonly Column<LimitRow>[] = [
  { title: 'LIMIT', cell: row => oneLine(row.name) },
  { title: 'USED', right: true, cell: row => row.used },
  { title: 'ALLOWED', right: true, cell: row => oneLine(row.limit) },
];

/** What is held now, by the name of its limit. */
const usedOf = ({ use }: TenantCard): Readonly<Record<string, string>> => ({
  waiting: String(use.waiting),
  running: String(use.running),
  cpu: String(use.cpuMilli / 1_000),
  memory: formatSize(use.memoryBytes),
});

export function renderTenant(tenant: TenantCard, screen: Screen): string {
  const used = usedOf(tenant);
  const rows = Object.entries(tenant.limits).map(([name, limit]) => ({
    name,
    used: used[name] ?? '',
    limit,
  }));
  const missing =
    tenant.missingShards.length === 0
      ? ''
      : `\nwithout the shards ${tenant.missingShards.join(', ')}, which did not answer`;
  const head = `${oneLine(tenant.name)}, plan ${oneLine(tenant.plan)}`;
  return `${head}\n\n${renderTable(limitColumns, rows, screen)}${missing}`;
}

export function renderTokens(tokens: readonly TokenRow[], nowMs: number, screen: Screen): string {
  const columns: readonly Column<TokenRow>[] = [
    { title: 'ID', cell: token => oneLine(token.id) },
    { title: 'TENANT', cell: token => oneLine(token.tenant) },
    { title: 'ROLE', cell: token => token.role },
    {
      title: 'EXPIRES',
      cell: ({ expiresAtMs }) => (expiresAtMs === undefined ? 'never' : ago(expiresAtMs, nowMs)),
    },
    { title: 'NAME', cell: token => oneLine(token.name) },
  ];
  return renderTable(columns, tokens, screen);
}

/** Plans side by side, a limit a line. */
export function renderPlans(plans: readonly TenantPlanRow[], screen: Screen): string {
  const names = Object.keys(plans[0]?.limits ?? {});
  const columns: readonly Column<string>[] = [
    { title: 'LIMIT', cell: name => oneLine(name) },
    ...plans.map(
      (plan): Column<string> => ({
        title: oneLine(plan.name),
        right: true,
        cell: name =>
          name === 'tenants' ? String(plan.tenants) : oneLine(plan.limits[name] ?? ''),
      }),
    ),
  ];
  return renderTable(columns, [...names, 'tenants'], screen);
}
