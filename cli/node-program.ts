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
  ports?: { from: number; to: number };
  labels: [string, string][];
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
  /** Asks the running node of a data directory. */
  localJoinToken(dataDir: string): Promise<string>;
  runDev(
    options: { dir: string; shards: number; httpPort: number; nodes: number; workload: boolean },
    print: (line: string) => void,
  ): Promise<void>;
}

export const loadNodeProgram = async (): Promise<NodeProgram> => import('../src/node/main.ts');
