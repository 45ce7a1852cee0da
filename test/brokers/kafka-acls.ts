/** Grants on a broker with ACLs, by kafkajs' admin client on the plaintext listener, which may do everything. */
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs';

export type Grant = {
  readonly on: 'topic' | 'group' | 'transactional-id' | 'cluster';
  /** The whole name, or with `prefix` its beginning; of a cluster always `kafka-cluster`. */
  readonly name: string;
  readonly prefix?: boolean;
  readonly operations: readonly (keyof typeof AclOperationTypes)[];
};

const RESOURCE_TYPES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
  cluster: AclResourceTypes.CLUSTER,
} as const satisfies Record<Grant['on'], AclResourceTypes>;

export async function grant(brokers: string, user: string, grants: readonly Grant[]): Promise<void> {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.createAcls({
      acl: grants.flatMap(({ on, name, prefix, operations }) =>
        operations.map((operation) => ({
          resourceType: RESOURCE_TYPES[on],
          resourceName: name,
          resourcePatternType: prefix === true ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
          principal: `User:${user}`,
          host: '*',
          operation: AclOperationTypes[operation],
          permissionType: AclPermissionTypes.ALLOW,
        })),
      ),
    });
  } finally {
    await admin.disconnect();
  }
}
