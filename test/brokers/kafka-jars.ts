/** Apache Kafka's published jars, fetched once with Maven into a cache outside the repository and then shared by every test process of the machine. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetched } from '../fetched.ts';

export const KAFKA_VERSION = '4.1.2';
const SLF4J_VERSION = '1.7.36';
const JAVA_VERSION_MIN = 17;

const run = promisify(execFile);

/** The folder with the jars. Throws an Error that says what is missing: Java, Maven or the way to a repository. */
export async function fetchKafkaJars(): Promise<string> {
  await checkJava();
  return fetched(`kafka-${KAFKA_VERSION}`, copyDependencies);
}

export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  return home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
}

async function checkJava(): Promise<void> {
  const { stderr } = await run(javaCommand(), ['-version']).catch(() => {
    throw new Error(`Java ${JAVA_VERSION_MIN} or newer is missing`);
  });
  const version = /version "(?<major>\d+)/u.exec(stderr)?.groups?.['major'];
  if (version === undefined || Number(version) < JAVA_VERSION_MIN) {
    throw new Error(`Java is ${version ?? 'of an unknown version'}, ${JAVA_VERSION_MIN} or newer is needed`);
  }
}

async function copyDependencies(folder: string): Promise<void> {
  await writeFile(join(folder, 'pom.xml'), projectFile());
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
  await run('mvn', ['-B', '-q', goal, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`], { cwd: folder, timeout: 600_000 }).catch((error: unknown) => {
    const { code, stdout } = error as { code?: unknown; stdout?: string };
    throw new Error(code === 'ENOENT' ? 'Maven (mvn) is missing' : `Maven could not fetch the jars: ${(stdout ?? '').trim().slice(-600)}`, { cause: error });
  });
}

function projectFile(): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>labelstream</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>${SLF4J_VERSION}</version></dependency>
  </dependencies>
</project>
`;
}
