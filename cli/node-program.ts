/**
 * The part of the program that runs a node in this process. It is loaded only by the commands that
 * need it: a client command would pay for LevelDB and libp2p otherwise. What these commands rely on
 * is declared here, so that the compiler holds the node to it.
 */
import type { Tier } from '../src/model/resources.ts';

export interface NodeOptions {
  dataDir: string;
  /** Join token. */
  join?: string;
  /** Multiaddresses for other nodes. */
  listen: string[];
  /** HOST:PORT */
  http: string;
  name?: string;
  tier: Tier;
  cpuMilli?: number;
  memoryBytes?: number;
  diskBytes?: number;
  iops?: number;
  /** Bytes a second. */
  bandwidth?: number;
  ports?: { from: number; to: number } | 'none';
  labels: [string, string][];
  acceptDataLoss?: boolean;
  autoRebuild?: boolean;
  diskReserveBytes?: number;
  ballastBytes?: number;
  allowInsecureHttp?: boolean;
  logLevel?: string;
}

export interface RunningNode {
  readonly httpAddress: string;
  readonly addresses: readonly string[];
  readonly nodeId: string;
  readonly name: string;
  /** Resolves once the node takes tasks. */
  readonly ready: Promise<void>;
  /** Resolves once the node has stopped; rejects where a fault stopped it. */
  readonly stopped: Promise<void>;
  stop(options?: { endTasks?: boolean }): Promise<void>;
}

/** What is done with each group of a store whose other nodes are lost; 0 is the registry. */
export interface RecoveryPlan {
  readonly node: string;
  readonly lost: readonly string[];
  readonly groups: readonly {
    readonly group: number;
    readonly plan: 'keep' | 'recover' | 'elsewhere';
    readonly voters: readonly string[];
    readonly survivor?: string | undefined;
  }[];
}

export interface Examination {
  readonly dataDir: string;
  readonly program: string;
  readonly verdict: 'healthy' | 'warning' | 'running' | 'unusable' | 'damaged';
  readonly findings: readonly {
    readonly level: 'error' | 'warning' | 'note';
    readonly what: string;
    readonly remedy?: string | undefined;
  }[];
  readonly node?: string | undefined;
  readonly cluster?: string | undefined;
  readonly store?: string | undefined;
  readonly starts?: number | undefined;
  readonly batches: number;
  readonly formats: Readonly<Record<string, number>>;
  readonly groups: readonly {
    readonly group: number;
    readonly replica: number;
    readonly voters: number;
    readonly term: number;
    readonly firstIndex: number;
    readonly lastIndex: number;
    readonly commit: number;
    readonly applied: number;
    readonly logRecords: number;
    readonly rows: number;
    readonly rowBytes: number;
  }[];
  readonly onlyCopy: boolean;
  readonly storeBytes: number;
  readonly attemptsBytes: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface NodeProgram {
  startNode(options: NodeOptions): Promise<RunningNode>;
  initCluster(options: {
    dataDir: string;
    shards: number;
    name?: string;
    deadAfterMs?: number;
  }): Promise<{ clusterId: string; nodeId: string; tokenFile: string }>;
  /** Of a node that does not run; without `carryOut` it only says what it would do. */
  recoverUnsafely(options: {
    dataDir: string;
    lost: string[];
    carryOut: boolean;
  }): Promise<RecoveryPlan>;
  examine(dataDir: string): Promise<Examination>;
  /** Puts the store aside; answers where it is then. */
  quarantine(examined: Examination, atMs: number): Promise<string>;
  /** Bytes that were freed. */
  freeBallast(dataDir: string): Promise<number>;
  writeSupportBundle(
    path: string,
    examined: Examination,
    logs: readonly string[],
  ): Promise<string[]>;
  /** Asks the running node of a data directory. */
  localJoinToken(dataDir: string): Promise<string>;
  runDev(
    options: { dir: string; shards: number; httpPort: number; nodes: number; workload: boolean },
    print: (line: string) => void,
  ): Promise<void>;
}

export const loadNodeProgram = async (): Promise<NodeProgram> => import('../src/node/main.ts');
