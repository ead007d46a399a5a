#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "CBoard.h"

int martlet_spawn(pid_t *process, char *const arguments[], const char *directory, int streams) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code) return -code;
    code = posix_spawnattr_init(&attributes);
    if (code) {
        posix_spawn_file_actions_destroy(&actions);
        return -code;
    }
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, streams, STDIN_FILENO);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, streams, STDOUT_FILENO);
    if (!code) code = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    if (!code && directory) code = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (!code) code = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!code) code = posix_spawnattr_setsigmask(&attributes, &none);
    if (!code) {
        code = posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    if (!code) code = posix_spawnp(process, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -code;
}
