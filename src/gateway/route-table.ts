/** Every route of the API. A route that is not here does not exist. */
import type { Route } from './route.ts';
import { cancelManyRoute, cancelRoute, retryRoute } from './routes/cancel.ts';
import {
  changeSettingsRoute,
  clusterHealthRoute,
  joinTokenRoute,
  movesRoute,
  replicasRoute,
  settingsRoute,
  shardsRoute,
} from './routes/cluster.ts';
import {
  pausesRoute,
  pauseTaskRoute,
  placementRoutes,
  resumeTaskRoute,
  updateTaskRoute,
} from './routes/control.ts';
import { deadLettersRoute, purgeRoute, replayRoute } from './routes/dead-letters.ts';
import { eventsRoute } from './routes/events.ts';
import { historyRoute } from './routes/history.ts';
import { logsRoute } from './routes/logs.ts';
import { healthRoute, metricsRoute, openapiRoute } from './routes/node-state.ts';
import {
  drainNodeRoute,
  nodeRoute,
  nodesRoute,
  removeNodeRoute,
  stopNodeRoute,
  undrainNodeRoute,
} from './routes/nodes.ts';
import { planRoute } from './routes/plan.ts';
import { releaseRoute, reservationsRoute, reserveRoute } from './routes/reservations.ts';
import {
  backfillRoute,
  createScheduleRoute,
  deleteScheduleRoute,
  nextOfScheduleRoute,
  nextOfTimingRoute,
  pauseScheduleRoute,
  resumeScheduleRoute,
  scheduleRoute,
  schedulesRoute,
  triggerScheduleRoute,
} from './routes/schedules.ts';
import { submitRoute } from './routes/submit.ts';
import { submitBatchRoute } from './routes/submit-batch.ts';
import { submitStreamRoute } from './routes/submit-stream.ts';
import { explainRoute, getSpecRoute, getTaskRoute, listTasksRoute } from './routes/tasks.ts';
import {
  createTemplateRoute,
  deleteTemplateRoute,
  templateRoute,
  templatesRoute,
  updateTemplateRoute,
} from './routes/templates.ts';
import {
  createTenantRoute,
  createTokenRoute,
  plansRoute,
  resetPlanRoute,
  revokeTokenRoute,
  setPlanRoute,
  setTenantRoute,
  tenantRoute,
  tenantsRoute,
  tokensRoute,
} from './routes/tenants.ts';
import { setTierRoute, tiersRoute } from './routes/tiers.ts';
import { waitRoute } from './routes/wait.ts';
import { pauseWorkflowRoute, resumeWorkflowRoute } from './routes/workflow-control.ts';
import { planWorkflowRoute } from './routes/workflow-plan.ts';
import {
  cancelWorkflowRoute,
  getWorkflowRoute,
  retryWorkflowRoute,
  submitWorkflowRoute,
  waitWorkflowRoute,
} from './routes/workflows.ts';

export const routes: readonly Route[] = [
  healthRoute,
  submitRoute,
  submitBatchRoute,
  submitStreamRoute,
  listTasksRoute,
  historyRoute,
  getTaskRoute,
  getSpecRoute,
  waitRoute,
  logsRoute,
  explainRoute,
  cancelRoute,
  cancelManyRoute,
  retryRoute,
  submitWorkflowRoute,
  planWorkflowRoute,
  getWorkflowRoute,
  waitWorkflowRoute,
  cancelWorkflowRoute,
  retryWorkflowRoute,
  pauseWorkflowRoute,
  resumeWorkflowRoute,
  deadLettersRoute,
  replayRoute,
  purgeRoute,
  pauseTaskRoute,
  resumeTaskRoute,
  updateTaskRoute,
  planRoute,
  templatesRoute,
  templateRoute,
  createTemplateRoute,
  updateTemplateRoute,
  deleteTemplateRoute,
  eventsRoute,
  tenantsRoute,
  tenantRoute,
  createTenantRoute,
  setTenantRoute,
  plansRoute,
  setPlanRoute,
  resetPlanRoute,
  tokensRoute,
  createTokenRoute,
  revokeTokenRoute,
  createScheduleRoute,
  schedulesRoute,
  scheduleRoute,
  pauseScheduleRoute,
  resumeScheduleRoute,
  triggerScheduleRoute,
  backfillRoute,
  deleteScheduleRoute,
  nextOfScheduleRoute,
  nextOfTimingRoute,
  nodesRoute,
  nodeRoute,
  drainNodeRoute,
  undrainNodeRoute,
  removeNodeRoute,
  stopNodeRoute,
  shardsRoute,
  replicasRoute,
  clusterHealthRoute,
  movesRoute,
  settingsRoute,
  changeSettingsRoute,
  tiersRoute,
  setTierRoute,
  pausesRoute,
  ...placementRoutes,
  reservationsRoute,
  reserveRoute,
  releaseRoute,
  joinTokenRoute,
  metricsRoute,
  openapiRoute,
];
