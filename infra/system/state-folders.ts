/** The folders in which a computer keeps the machines of a project that it runs. */
export interface MachineFolders {
  /** a folder for each machine */
  readonly machines: string;
  /** a folder for the load balancer of each environment */
  readonly loadBalancers: string;
  /** key pairs, a folder for each environment */
  readonly keys: string;
  /** images, shared by all projects of a user */
  readonly images: string;
}
