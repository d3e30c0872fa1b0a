/** Where machines of a project are kept on the computer that runs them. */
export interface MachineFolders {
  /** a folder for each machine */
  readonly machines: string;
  /** a folder for the front of each environment */
  readonly loadBalancers: string;
  /** key pairs, a folder for each environment */
  readonly keys: string;
  /** images, shared by all projects of a user */
  readonly images: string;
}
