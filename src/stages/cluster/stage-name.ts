export const clusterStageName = 'cluster';
